import { describe, expect, it } from 'vitest';
import { ruleIds } from '../../../src/policy/catalogue.js';
import { parsePolicy } from '../../../src/policy/policy-schema.js';
import { defaultPolicy, type MirrorPolicy } from '../../../src/policy/policy.js';
import { reference } from '../mirror-sets.js';

const head = 'apiVersion: mirrorgate.dev/v1alpha1\nkind: MirrorPolicy\n';

function policyOf(text: string): MirrorPolicy {
  const parsed = parsePolicy(text);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
  return parsed.policy;
}

/** Each fault as `path: message`. */
function faultsOf(text: string): string[] {
  const parsed = parsePolicy(text);
  return parsed.ok ? [] : parsed.faults.map(({ path, message }) => `${path}: ${message}`);
}

function exemptionOf(fields: string): string {
  return `${head}spec:\n  exemptions:\n  - {${fields}}\n`;
}

describe('parsePolicy', () => {
  it('reads a file with every field', () => {
    const policy = policyOf(`# Who may do what with mirrors.
apiVersion: mirrorgate.dev/v1alpha1
kind: MirrorPolicy
metadata:
  name: cluster
  annotations: { owner: platform }
spec:
  profile: restricted
  rules:
    linux-nodes-drain: deny
    mirror-chain: audit
    unmatchable-source: off
    digest-required: warn
  linuxOnlySources:
    - quay.io/openshift-release-dev
    - Registry.Redhat.IO
    - '*.openshift.com'
  pauseImage: registry.local:5000/pause:3.10
  rendering:
    naming: omit
    credentials: false
  exemptions:
    - reason: |
        moves with the data centre,
        see the plan
      expires: 2027-01-31
      match:
        kinds: [ImageTagMirrorSet, ImageDigestMirrorSet]
        names: ['team-*']
        users: [alice]
        groups: ['system:masters']
        rules: [windows-mirror-path]
    - reason: until noon
      expires: '2027-01-31T12:00:00+02:00'
      match: { names: [one] }
`);
    expect(policy).toStrictEqual({
      profile: 'restricted',
      rules: new Map([
        ['linux-nodes-drain', 'deny'],
        ['mirror-chain', 'audit'],
        ['unmatchable-source', 'off'],
        ['digest-required', 'warn'],
      ]),
      view: {
        naming: 'omit',
        linuxOnlySources: ['quay.io/openshift-release-dev', 'registry.redhat.io', '*.openshift.com'].map(
          reference,
        ),
      },
      pauseImage: { repository: reference('registry.local:5000/pause'), tag: '3.10', digest: undefined },
      credentials: false,
      exemptions: [
        {
          reason: 'moves with the data centre, see the plan',
          // A day holds to its end.
          expires: new Date('2027-02-01T00:00:00Z'),
          match: {
            kinds: ['ImageTagMirrorSet', 'ImageDigestMirrorSet'],
            names: ['team-*'],
            users: ['alice'],
            groups: ['system:masters'],
            rules: ['windows-mirror-path'],
          },
        },
        {
          reason: 'until noon',
          expires: new Date('2027-01-31T10:00:00Z'),
          match: { names: ['one'] },
        },
      ],
    });
  });

  it.each([
    ['no spec', head],
    ['an empty spec', `${head}spec:\n`],
    ['a spec of nothing', `${head}spec: {}\n`],
    [
      'fields with nothing behind them',
      `${head}spec:\n  rules:\n  linuxOnlySources:\n  rendering:\n  exemptions:\n    # - reason: later\n`,
    ],
    ['JSON', '{"apiVersion":"mirrorgate.dev/v1alpha1","kind":"MirrorPolicy"}'],
  ])('takes the defaults from %s', (_, text) => {
    expect(policyOf(text)).toStrictEqual(defaultPolicy());
  });

  it('has the defaults of the design', () => {
    expect(defaultPolicy()).toStrictEqual({
      profile: 'baseline',
      rules: new Map(),
      view: { naming: 'shorten', linuxOnlySources: [reference('quay.io/openshift-release-dev')] },
      pauseImage: {
        repository: reference('mcr.microsoft.com/oss/kubernetes/pause'),
        tag: '3.9',
        digest: undefined,
      },
      credentials: true,
      exemptions: [],
    });
  });

  it('takes an empty list of Linux-only sources for none', () => {
    expect(policyOf(`${head}spec: {linuxOnlySources: []}`).view.linuxOnlySources).toStrictEqual([]);
  });

  it('takes every rule and every action', () => {
    for (const action of ['deny', 'warn', 'audit', 'off'] as const) {
      const rules = ruleIds.map((id) => `    ${id}: ${action}\n`).join('');
      expect([...policyOf(`${head}spec:\n  rules:\n${rules}`).rules]).toStrictEqual(
        ruleIds.map((id) => [id, action]),
      );
    }
  });

  it('takes the last day of February in a leap year, and a moment with fractions of a second', () => {
    const expiryOf = (expires: string) =>
      policyOf(exemptionOf(`reason: x, match: {names: [a]}, expires: '${expires}'`)).exemptions[0]?.expires;
    expect(expiryOf('2028-02-29')).toStrictEqual(new Date('2028-03-01T00:00:00Z'));
    expect(expiryOf('2027-12-31')).toStrictEqual(new Date('2028-01-01T00:00:00Z'));
    expect(expiryOf('2027-12-31T23:59Z')).toStrictEqual(new Date('2027-12-31T23:59:00Z'));
    expect(expiryOf('2027-12-31T23:59:59.5-01:00')).toStrictEqual(new Date('2028-01-01T00:59:59.500Z'));
  });

  describe('refuses', () => {
    it.each([
      ['an empty file', '', ['the file is empty; expected a MirrorPolicy']],
      ['a file of comments', '# nothing here\n', ['the file is empty; expected a MirrorPolicy']],
      ['null', 'null', ['expected object, found null']],
      ['a list', '- apiVersion: v1', ['expected object, found array']],
      ['a sentence', 'deny everything', ['expected object, found string']],
      [
        'broken YAML, with its line and column',
        `${head}spec:\n  rules: {a: b\n`,
        ['line 5, column 1: Flow map in block collection must be sufficiently indented and end with a }'],
      ],
      ['tabs', 'spec:\n\tprofile: audit', ['line 2, column 1: Tabs are not allowed as indentation']],
      ['a field that stands twice', 'kind: a\nkind: b', ['line 2, column 1: Map keys must be unique']],
      ['two documents', `${head}---\n${head}`, ['line 3, column 1: expected one document, found several']],
      [
        'an alias of nothing',
        'spec: *missing',
        ['Unresolved alias (the anchor must be set before the alias): missing'],
      ],
      [
        'aliases that expand without end',
        [
          'a: &a [x, x, x, x, x, x, x, x, x, x]',
          'b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]',
          'c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]',
          'd: [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]',
        ].join('\n'),
        ['Excessive alias count indicates a resource exhaustion attack'],
      ],
    ])('%s', (_, text, messages) => {
      expect(parsePolicy(text)).toStrictEqual({
        ok: false,
        faults: messages.map((message) => ({ path: '', message })),
      });
    });

    it.each([
      [
        'another apiVersion and kind',
        'apiVersion: mirrorgate.dev/v1\nkind: Policy',
        ['apiVersion: expected "mirrorgate.dev/v1alpha1"', 'kind: expected "MirrorPolicy"'],
      ],
      ['a missing kind', 'apiVersion: mirrorgate.dev/v1alpha1', ['kind: expected "MirrorPolicy"']],
      [
        'unknown fields at the top, each by its path',
        `${head}profile: audit\nstatus: {}`,
        ['profile: unknown field', 'status: unknown field'],
      ],
      [
        'unknown fields of the spec',
        `${head}spec: {profiles: audit, exempt: []}`,
        ['spec.profiles: unknown field', 'spec.exempt: unknown field'],
      ],
      [
        'unknown fields of the rendering',
        `${head}spec: {rendering: {names: omit}}`,
        ['spec.rendering.names: unknown field'],
      ],
      [
        'unknown fields of an exemption',
        exemptionOf('reason: x, expires: 2027-01-31, match: {names: [a]}, until: never'),
        ['spec.exemptions[0].until: unknown field'],
      ],
      [
        'unknown fields of a match',
        exemptionOf('reason: x, expires: 2027-01-31, match: {names: [a], labels: [b]}'),
        ['spec.exemptions[0].match.labels: unknown field'],
      ],
      ['a spec that is no mapping', `${head}spec: strict`, ['spec: expected object, found string']],
      [
        'an unknown profile',
        `${head}spec: {profile: strict}`,
        ['spec.profile: expected one of "audit", "baseline", "restricted"'],
      ],
      [
        'an unknown rule',
        `${head}spec: {rules: {windows-mirror-paths: deny}}`,
        [
          `spec.rules.windows-mirror-paths: no rule is called "windows-mirror-paths"; expected one of ${ruleIds.join(', ')}`,
        ],
      ],
      [
        'an unknown action',
        `${head}spec: {rules: {mirror-chain: error, insecure-mirror: false}}`,
        [
          'spec.rules.mirror-chain: expected one of "deny", "warn", "audit", "off"',
          'spec.rules.insecure-mirror: expected one of "deny", "warn", "audit", "off"',
        ],
      ],
      [
        'Linux-only sources that are no references',
        `${head}spec: {linuxOnlySources: [quay.io, 'https://quay.io', 'quay.io/a:1', 7]}`,
        [
          'spec.linuxOnlySources[1]: "https://quay.io" has a scheme (https://); expected host[:port][/path] without one',
          'spec.linuxOnlySources[2]: "quay.io/a:1" has a tag (:1); expected host[:port][/path] without one',
          'spec.linuxOnlySources[3]: expected string, found number',
        ],
      ],
      [
        'a Linux-only source that is no list',
        `${head}spec: {linuxOnlySources: quay.io}`,
        ['spec.linuxOnlySources: expected array, found string'],
      ],
      [
        'a pause image without a repository',
        `${head}spec: {pauseImage: 'registry.local:5000/'}`,
        ['spec.pauseImage: "registry.local:5000/" ends with "/"; expected a path without an empty segment'],
      ],
      [
        'a pause image with a malformed tag',
        `${head}spec: {pauseImage: 'registry.local/pause:'}`,
        [
          'spec.pauseImage: "registry.local/pause:" has a malformed tag (:); expected at most 128 of A-Z a-z 0-9 _ . -',
        ],
      ],
      [
        'ways of rendering that there are not',
        `${head}spec: {rendering: {naming: exact, credentials: 'no'}}`,
        [
          'spec.rendering.naming: expected one of "shorten", "omit"',
          'spec.rendering.credentials: expected boolean, found string',
        ],
      ],
      [
        'exemptions that are no list',
        `${head}spec: {exemptions: {reason: x}}`,
        ['spec.exemptions: expected array, found object'],
      ],
      [
        'an exemption of nothing',
        exemptionOf(''),
        [
          'spec.exemptions[0].reason: expected string, found none',
          'spec.exemptions[0].expires: expected string, found none',
          'spec.exemptions[0].match: expected object, found none',
        ],
      ],
      [
        'an exemption from everything',
        exemptionOf('reason: x, expires: 2027-01-31, match: {}'),
        [
          'spec.exemptions[0].match: expected at least one of kinds, names, users, groups, rules: an exemption from everything is no policy',
        ],
      ],
      [
        'an exemption without a reason worth the name',
        exemptionOf("reason: ' ', expires: 2027-01-31, match: {names: [a]}"),
        ['spec.exemptions[0].reason: expected some text, found none'],
      ],
      [
        'lists of nothing, which would match nothing',
        exemptionOf("reason: x, expires: 2027-01-31, match: {names: [], users: [''], kinds: [], rules: []}"),
        [
          'spec.exemptions[0].match.kinds: expected at least one item; without the field, anything matches',
          'spec.exemptions[0].match.names: expected at least one item; without the field, anything matches',
          'spec.exemptions[0].match.users[0]: expected some text, found none',
          'spec.exemptions[0].match.rules: expected at least one item; without the field, anything matches',
        ],
      ],
      [
        'an unknown kind and rule in a match',
        exemptionOf('reason: x, expires: 2027-01-31, match: {kinds: [ImageContentPolicy], rules: [x]}'),
        [
          'spec.exemptions[0].match.kinds[0]: expected one of "ImageDigestMirrorSet", "ImageTagMirrorSet"',
          `spec.exemptions[0].match.rules[0]: no rule is called "x"; expected one of ${ruleIds.join(', ')}`,
        ],
      ],
    ])('%s', (_, text, faults) => {
      expect(faultsOf(text)).toStrictEqual(faults);
    });

    it.each([
      '2027-02-30',
      '2027-02-30T12:00:00Z',
      '2027-02-29',
      '2027-13-01',
      '2027-1-31',
      '2027-01-31T25:00:00Z',
      '2027-01-31T12:00:00',
      '31.01.2027',
      'never',
      '',
      '2027',
    ])('the date %j', (date) => {
      expect(faultsOf(exemptionOf(`reason: x, match: {names: [a]}, expires: '${date}'`))).toStrictEqual([
        `spec.exemptions[0].expires: expected a date such as 2027-01-31 or 2027-01-31T12:00:00Z, found "${date}"`,
      ]);
    });

    it('every fault of a file at once, and none of it is taken', () => {
      const faults = faultsOf(
        `${head}spec:\n  profile: none\n  rules: {x: deny}\n  pauseImage: 3\n  colour: red\n`,
      );
      expect(faults.map((fault) => fault.split(':')[0])).toStrictEqual([
        'spec.profile',
        'spec.rules.x',
        'spec.pauseImage',
        'spec.colour',
      ]);
    });
  });
});
