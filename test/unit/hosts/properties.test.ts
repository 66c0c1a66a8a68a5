import fc from 'fast-check';
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { hostsFile, type HostsFile, type HostTable } from '../../../src/hosts/hosts-file.js';
import { formatHostsToml } from '../../../src/hosts/hosts-toml.js';
import { parsePullSecret, type PullSecret } from '../../../src/hosts/pull-secret.js';
import { withoutCredentials } from '../../../src/hosts/redact.js';
import { registryDirectory } from '../../../src/mirrors/registry-directory.js';
import { renderHosts } from '../../../src/hosts/render.js';
import { parseInsecureRegistries } from '../../../src/mirrors/insecure-registries.js';
import { apiRegistryOf } from '../../../src/mirrors/naming.js';
import { formatReference, registryOf } from '../../../src/mirrors/reference.js';
import { mergeRegistries } from '../../../src/mirrors/registry-view.js';
import { clusters, mirrors, sources, writeReference, writtenReferences } from '../arbitraries.js';
import { reference } from '../mirror-sets.js';

const naming = fc.constantFrom('shorten' as const, 'omit' as const);
const locations = fc.oneof(sources, mirrors).map(formatReference);
const insecureTexts = fc.array(fc.oneof(locations, fc.constant('*.io')), { maxLength: 3 });

const password = 'sEcReT';
const entries = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ username: fc.string({ minLength: 1 }), password: fc.constant(password) }),
  },
  { weight: 1, arbitrary: fc.constant({ identitytoken: password }) },
);
const auths = fc.array(fc.tuple(fc.oneof(locations, fc.constant('https://index.docker.io/v1/')), entries), {
  maxLength: 5,
});

function pullSecret(given: readonly (readonly [string, unknown])[]): PullSecret {
  return parsePullSecret(JSON.stringify({ auths: Object.fromEntries(given) }));
}

/** The file as read from text, by a reading that knows nothing of how it was written. */
function readHostsToml(content: string): HostsFile {
  const { server, host, ...root } = parse(content) as Record<string, unknown>;
  return {
    fallback: readTable(server as string, root),
    hosts: Object.entries(host as Record<string, Record<string, unknown>>).map(([url, table]) =>
      readTable(url, table),
    ),
  };
}

function readTable(url: string, table: Record<string, unknown>): HostTable {
  const { capabilities, skip_verify, override_path, header, ...unknown } = table;
  expect(override_path).toBe(true);
  expect(unknown).toEqual({});
  return {
    url,
    capabilities: capabilities as HostTable['capabilities'],
    skipVerify: skip_verify === true,
    authorization: (header as { Authorization: string } | undefined)?.Authorization,
  };
}

describe('any mirror sets, pull secret and insecure registries', () => {
  it('give the same bytes, revision and findings in any order of input', () => {
    const inputs = fc
      .tuple(clusters, fc.uniqueArray(auths, { maxLength: 1 }), insecureTexts)
      .chain(([sets, [given = []], insecure]) => {
        const unique = [...new Map(given)];
        return fc.record({
          given: fc.constant({ sets, auths: unique, insecure }),
          shuffled: fc.record({
            sets: fc.shuffledSubarray(sets, { minLength: sets.length }),
            auths: fc.shuffledSubarray(unique, { minLength: unique.length }),
            insecure: fc.shuffledSubarray(insecure, { minLength: insecure.length }),
          }),
        });
      });
    fc.assert(
      fc.property(inputs, naming, ({ given, shuffled }, howNamed) => {
        const [left, right] = [given, shuffled].map((input) => {
          const rendered = renderHosts(
            mergeRegistries(input.sets, { naming: howNamed, linuxOnlySources: [] }),
            {
              credentials: pullSecret(input.auths),
              insecure: parseInsecureRegistries(input.insecure).registries,
            },
          );
          return [[...rendered.desired.files], rendered.desired.revision, rendered.findings];
        });
        expect(right).toEqual(left);
      }),
      { numRuns: 500 },
    );
  });

  it('are written so that they read back as the model', () => {
    fc.assert(
      fc.property(clusters, auths, insecureTexts, naming, (sets, given, insecure, howNamed) => {
        const options = {
          credentials: pullSecret(given),
          insecure: parseInsecureRegistries(insecure).registries,
        };
        const view = mergeRegistries(sets, { naming: howNamed, linuxOnlySources: [] });
        const { desired } = renderHosts(view, options);
        for (const config of view) {
          const file = hostsFile(config, options);
          const content = desired.files.get(registryDirectory(config.registry));
          expect(content === undefined).toBe(file === undefined);
          if (file !== undefined && content !== undefined) expect(readHostsToml(content)).toEqual(file);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('never let a forbidden source be contacted, and always name a server and a host entry', () => {
    fc.assert(
      fc.property(clusters, naming, (sets, howNamed) => {
        const view = mergeRegistries(sets, { naming: howNamed, linuxOnlySources: [] });
        const { desired, findings } = renderHosts(view, {
          insecure: parseInsecureRegistries([]).registries,
        });
        for (const config of view) {
          const content = desired.files.get(registryDirectory(config.registry));
          if (content === undefined) {
            expect(config).toMatchObject({ neverContact: false, hosts: [] });
            continue;
          }
          const { fallback, hosts } = readHostsToml(content);
          expect(hosts.length).toBeGreaterThan(0);
          const source = `https://${apiRegistryOf(config.registry)}/v2`;
          if (config.neverContact) {
            // The last resort may do no more than the first, and neither is the source.
            expect(fallback).toEqual(hosts[0]);
            expect(hosts.map(({ url }) => url)).not.toContain(source);
          } else {
            expect(fallback.url).toBe(source);
          }
        }
        const unreachable = view.filter(({ neverContact, hosts }) => neverContact && hosts.length === 0);
        expect(findings.map(({ code }) => code)).toEqual(unreachable.map(() => 'never-contact-unreachable'));
      }),
      { numRuns: 500 },
    );
  });

  it('leave no password in a finding or in redacted text', () => {
    fc.assert(
      fc.property(clusters, auths, (sets, given) => {
        const { desired, findings } = renderHosts(
          mergeRegistries(sets, { naming: 'shorten', linuxOnlySources: [] }),
          { credentials: pullSecret(given), insecure: parseInsecureRegistries([]).registries },
        );
        const shown = [
          JSON.stringify(findings),
          ...[...desired.files.values()].map(withoutCredentials),
        ].join();
        expect(shown).not.toContain(password);
        expect(shown).not.toContain('Basic ');
      }),
    );
  });
});

describe('any text', () => {
  it('as header value reads back as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (authorization) => {
        const table = {
          url: 'https://m.io/v2',
          capabilities: ['pull'],
          skipVerify: false,
          authorization,
        } as const;
        const file: HostsFile = { fallback: table, hosts: [table] };
        expect(readHostsToml(formatHostsToml(file))).toEqual(file);
      }),
    );
  });

  it('as pull secret is read without throwing', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((json) => `{"auths":${json}}`),
        ),
        (text) => {
          expect(parsePullSecret(text).credentialFor(reference('quay.io'))).toBeUndefined();
        },
      ),
    );
  });
});

describe('any two registries', () => {
  it('have one directory only if they are one, on a file system that folds case too', () => {
    const registries = fc.oneof(
      sources,
      mirrors,
      writtenReferences.map((written) => reference(writeReference(written))),
    );
    fc.assert(
      fc.property(registries, registries, (left, right) => {
        const sameDirectory =
          registryDirectory(left).toLowerCase() === registryDirectory(right).toLowerCase();
        expect(sameDirectory).toBe(registryOf(left) === registryOf(right));
      }),
    );
  });
});
