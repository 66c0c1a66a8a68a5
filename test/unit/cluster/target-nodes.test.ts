import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../src/cluster/kube-object.js';
import { targetNodes, type TargetNodesInput } from '../../../src/cluster/target-nodes.js';
import { readWindowsInstances } from '../../../src/cluster/windows-instances.js';

interface NodeParts {
  readonly addresses?: unknown;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly byoh?: boolean;
  readonly created?: string;
  readonly deleting?: boolean;
}

const node = (name: string, address: string, parts: NodeParts = {}): KubeObject => ({
  metadata: {
    name,
    creationTimestamp: parts.created ?? '2026-01-01T00:00:00Z',
    labels: {
      'kubernetes.io/os': 'windows',
      ...(parts.byoh === true && { 'windowsmachineconfig.openshift.io/byoh': 'true' }),
    },
    annotations: parts.annotations ?? {},
    ...(parts.deleting === true && { deletionTimestamp: '2026-01-02T00:00:00Z' }),
  },
  status: {
    addresses: parts.addresses ?? [
      { type: 'Hostname', address: name },
      { type: 'InternalIP', address },
    ],
  },
});
const find = (input: Partial<TargetNodesInput> & { readonly listed?: Readonly<Record<string, string>> }) =>
  targetNodes({
    nodes: [],
    instances: readWindowsInstances({ metadata: { name: 'windows-instances' }, data: input.listed ?? {} }),
    platform: undefined,
    sshKey: { ok: true, privateKey: 'THE KEY' },
    ...input,
  });

describe('targetNodes', () => {
  it('takes a node by its defaults', () => {
    expect(find({ nodes: [node('win-1', '10.0.0.5')] })).toEqual({
      targets: [
        {
          name: 'win-1',
          address: '10.0.0.5',
          port: 22,
          username: 'Administrator',
          privateKey: 'THE KEY',
          root: 'C:\\k\\containerd\\registries',
        },
      ],
      problems: [],
      paused: new Set(),
    });
  });

  it('orders targets by name, and gives them the passphrase', () => {
    const { targets } = find({
      nodes: [node('win-2', '10.0.0.6'), node('win-1', '10.0.0.5')],
      sshKey: { ok: true, privateKey: 'THE KEY', passphrase: 'p' },
    });
    expect(targets.map(({ name, passphrase }) => [name, passphrase])).toEqual([
      ['win-1', 'p'],
      ['win-2', 'p'],
    ]);
  });

  describe('address', () => {
    it.each([
      [
        'an InternalDNS before an InternalIP',
        [
          { type: 'InternalDNS', address: 'w.corp' },
          { type: 'InternalIP', address: '10.0.0.5' },
        ],
        'w.corp',
      ],
      [
        'no IPv6',
        [
          { type: 'InternalIP', address: 'fd00::1' },
          { type: 'InternalIP', address: '10.0.0.5' },
        ],
        '10.0.0.5',
      ],
      [
        'nothing external',
        [
          { type: 'ExternalIP', address: '1.2.3.4' },
          { type: 'InternalIP', address: '10.0.0.5' },
        ],
        '10.0.0.5',
      ],
    ])('is the first that is internal: %s', (_, addresses, expected) => {
      expect(find({ nodes: [node('win-1', '', { addresses })] }).targets[0]?.address).toBe(expected);
    });

    it.each([
      ['none', []],
      ['IPv6 alone', [{ type: 'InternalIP', address: 'fd00::1' }]],
      ['no list at all', 'nothing'],
    ])('is a problem when there is %s', (_, addresses) => {
      expect(find({ nodes: [node('win-1', '', { addresses })] })).toMatchObject({
        targets: [],
        problems: [
          { node: 'win-1', reason: 'NoAddress', message: expect.stringContaining('win-1') as string },
        ],
      });
    });

    it('that was given to a new machine belongs to the newest Node', () => {
      const { targets, problems } = find({
        nodes: [
          node('old', '10.0.0.5', { created: '2026-01-01T00:00:00Z' }),
          node('new', '10.0.0.5', { created: '2026-02-01T00:00:00Z' }),
        ],
      });
      expect(targets.map(({ name }) => name)).toEqual(['new']);
      expect(problems).toMatchObject([{ node: 'old', reason: 'DuplicateAddress' }]);
      expect(problems[0]?.message).toContain('new');
      expect(problems[0]?.message).toContain('10.0.0.5');
    });

    it('may be shared by two SSH servers on different ports', () => {
      const { targets, problems } = find({
        nodes: [
          node('a', '10.0.0.5', { annotations: { 'mirrorgate.dev/ssh-port': '2201' } }),
          node('b', '10.0.0.5', { annotations: { 'mirrorgate.dev/ssh-port': '2202' } }),
        ],
      });
      expect(targets.map(({ port }) => port)).toEqual([2201, 2202]);
      expect(problems).toEqual([]);
    });
  });

  describe('user', () => {
    const listed = { '10.0.0.5': 'username=byoh-user' };
    const usernameOf = (parts: NodeParts, input: Parameters<typeof find>[0] = {}) =>
      find({ nodes: [node('win-1', '10.0.0.5', parts)], ...input }).targets[0]?.username;

    it('is the annotated one before all others', () => {
      const annotations = { 'mirrorgate.dev/ssh-username': 'CORP\\mirror' };
      expect(usernameOf({ annotations }, { listed, platform: 'Azure' })).toBe('CORP\\mirror');
    });

    it('is the listed one before the default, by any address of the node', () => {
      expect(usernameOf({ byoh: true }, { listed, platform: 'Azure' })).toBe('byoh-user');
      expect(usernameOf({}, { listed: { 'WIN-1': 'username=by-name\n' } })).toBe('by-name');
    });

    it.each([
      ['Azure', false, 'capi'],
      ['Azure', true, 'Administrator'],
      ['AWS', false, 'Administrator'],
      ['None', true, 'Administrator'],
      [undefined, false, 'Administrator'],
    ])('is by default that of the platform (%s, byoh %s): %s', (platform, byoh, expected) => {
      expect(usernameOf({ byoh }, { platform })).toBe(expected);
    });

    it.each(['user=x', 'username=', 'username= ', 'Administrator'])(
      'is a problem when the line says "%s"',
      (line) => {
        const input = { nodes: [node('win-1', '10.0.0.5')], listed: { '10.0.0.5': line } };
        expect(find(input)).toMatchObject({
          targets: [],
          problems: [{ node: 'win-1', reason: 'InvalidInstance' }],
        });
        expect(find(input).problems[0]?.message).toContain(
          '"10.0.0.5" in ConfigMap windows-instances: expected "username=<name>"',
        );
      },
    );

    it('needs no readable line when it is annotated', () => {
      const annotations = { 'mirrorgate.dev/ssh-username': 'me' };
      expect(usernameOf({ annotations }, { listed: { '10.0.0.5': 'nonsense' } })).toBe('me');
    });
  });

  describe('annotations', () => {
    it('give port and directory', () => {
      const annotations = {
        'mirrorgate.dev/ssh-port': '2222',
        'mirrorgate.dev/registries-directory': 'D:\\containerd\\registries',
      };
      expect(find({ nodes: [node('win-1', '10.0.0.5', { annotations })] }).targets).toMatchObject([
        { port: 2222, root: 'D:\\containerd\\registries' },
      ]);
    });

    it.each([
      ['ssh-port', '0', 'a port from 1 to 65535'],
      ['ssh-port', '65536', 'a port from 1 to 65535'],
      ['ssh-port', '22 ', 'a port from 1 to 65535'],
      ['ssh-port', '', 'a port from 1 to 65535'],
      ['registries-directory', 'registries', 'an absolute path'],
      ['registries-directory', 'C:\\', 'an absolute path'],
      ['ssh-username', ' ', 'the name of an account'],
      ['ssh-username', 'a\nb', 'the name of an account'],
      ['paused', 'True', '"true" or "false"'],
    ])('that are wrong are a problem, and the node is left alone: %s=%j', (name, value, expected) => {
      const annotations = { [`mirrorgate.dev/${name}`]: value };
      const { targets, problems } = find({ nodes: [node('win-1', '10.0.0.5', { annotations })] });
      expect(targets).toEqual([]);
      expect(problems).toMatchObject([{ node: 'win-1', reason: 'InvalidAnnotation' }]);
      expect(problems[0]?.message).toContain(`annotation mirrorgate.dev/${name} is ${JSON.stringify(value)}`);
      expect(problems[0]?.message).toContain(`expected ${expected}`);
    });

    it('pause a node, whatever else is wrong with it', () => {
      const annotations = { 'mirrorgate.dev/paused': 'true', 'mirrorgate.dev/ssh-port': 'x' };
      const result = find({ nodes: [node('win-1', '', { annotations, addresses: [] })] });
      expect(result).toEqual({ targets: [], problems: [], paused: new Set(['win-1']) });
    });
  });

  describe('instances without a Node', () => {
    it('are targets, named by their address', () => {
      expect(
        find({ listed: { '10.0.0.7': 'username=me', 'Win-9.corp': 'username=you' } }).targets,
      ).toMatchObject([
        { name: '10.0.0.7', address: '10.0.0.7', username: 'me', port: 22 },
        { name: 'Win-9.corp', address: 'Win-9.corp', username: 'you' },
      ]);
    });

    it('become their Node once that is there', () => {
      const { targets } = find({ nodes: [node('win-1', '10.0.0.7')], listed: { '10.0.0.7': 'username=me' } });
      expect(targets).toMatchObject([{ name: 'win-1', address: '10.0.0.7', username: 'me' }]);
    });

    it.each([
      ['paused', { annotations: { 'mirrorgate.dev/paused': 'true' } }],
      ['being deleted', { deleting: true }],
      ['misconfigured', { annotations: { 'mirrorgate.dev/ssh-port': 'x' } }],
    ])('are no targets of their own while their Node is %s', (_, parts) => {
      const nodes = [node('win-1', '10.0.0.7', parts)];
      expect(find({ nodes, listed: { '10.0.0.7': 'username=me' } }).targets).toEqual([]);
    });

    it('are a problem under their address when their line cannot be read', () => {
      expect(find({ listed: { '10.0.0.7': 'x', '10.0.0.8': 'username=me' } })).toMatchObject({
        targets: [{ name: '10.0.0.8' }],
        problems: [{ node: '10.0.0.7', reason: 'InvalidInstance' }],
      });
    });
  });

  it('leaves out nodes that are being deleted', () => {
    expect(find({ nodes: [node('win-1', '10.0.0.5', { deleting: true })] })).toEqual({
      targets: [],
      problems: [],
      paused: new Set(),
    });
  });

  it('has a problem for each node, and no target, without a key that can be used', () => {
    const sshKey = { ok: false, reason: 'SSHKeyMissing', message: 'no Secret', hint: 'make one' } as const;
    expect(find({ nodes: [node('b', '10.0.0.6'), node('a', '10.0.0.5')], sshKey })).toEqual({
      targets: [],
      problems: [
        { node: 'a', reason: 'SSHKeyMissing', message: 'no Secret', hint: 'make one' },
        { node: 'b', reason: 'SSHKeyMissing', message: 'no Secret', hint: 'make one' },
      ],
      paused: new Set(),
    });
  });
});
