/** Pulls that each show one thing, with what must come of them written by hand. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseManifests } from '../../src/mirrors/manifest.js';
import { osLabel, type MirrorSet } from '../../src/mirrors/mirror-set.js';
import type { ViewOptions } from '../../src/mirrors/registry-view.js';
import { idms, itms, reference } from '../unit/mirror-sets.js';
import type { PullCase } from './pull-case.js';
import type { Listener } from './registry-front.js';
import { tinyImage } from './tiny-image.js';

export interface NamedCase {
  readonly pullCase: PullCase;
  /** Every registry that is contacted, in the order of first contact: `host:port`. */
  readonly contacts: readonly string[];
  /** The repository that the image comes from, `undefined` when the pull fails. */
  readonly servedBy: string | undefined;
}

interface Scenario {
  readonly name: string;
  readonly sets: readonly MirrorSet[];
  readonly pull: readonly [repository: string, by: 'tag' | 'digest' | 'tag and digest'];
  /** The repositories that hold the image; all but those after `digest:` under the tag too. */
  readonly heldBy: readonly string[];
  readonly contacts: readonly string[];
  readonly servedBy: string | undefined;
  readonly view?: Partial<ViewOptions>;
  readonly auths?: Readonly<Record<string, string>>;
  readonly listeners?: Readonly<Record<string, Listener>>;
}

export const examplesFolder = join(import.meta.dirname, '../../manifests/examples');

export const exampleFiles = readdirSync(examplesFolder).sort();

/** Scenarios by the example file whose mirror sets they pull through. */
const exampleScenarios: Readonly<Record<string, readonly Omit<Scenario, 'sets'>[]>> = {
  'clean.yaml': [
    {
      name: 'a digest is served by the second mirror when the first does not have it',
      pull: ['quay.io/prometheus/node', 'digest'],
      heldBy: ['backup.example.com/prometheus/node', 'quay.io/prometheus/node'],
      contacts: ['mirror.example.com:443', 'backup.example.com:443'],
      servedBy: 'backup.example.com/prometheus/node',
    },
    {
      name: 'an unrelated image of the registry tries the mirrors too',
      pull: ['quay.io/unrelated/tool', 'digest'],
      heldBy: ['quay.io/unrelated/tool'],
      contacts: ['mirror.example.com:443', 'backup.example.com:443', 'quay.io:443'],
      servedBy: 'quay.io/unrelated/tool',
    },
    {
      name: 'the source resolves a tag, and a digest-only mirror serves what it stands for',
      pull: ['ghcr.io/kedacore/keda', 'tag'],
      heldBy: ['ghcr.io/kedacore/keda', 'mirror.example.com/ghcr/kedacore/keda'],
      contacts: ['ghcr.io:443', 'mirror.example.com:443'],
      servedBy: 'mirror.example.com/ghcr/kedacore/keda',
    },
  ],
  'never-contact.yaml': [
    {
      name: 'a digest comes from the mirror',
      pull: ['registry.redhat.io/ubi9/ubi', 'digest'],
      heldBy: ['mirror.example.com/ubi9/ubi', 'registry.redhat.io/ubi9/ubi'],
      contacts: ['mirror.example.com:443'],
      servedBy: 'mirror.example.com/ubi9/ubi',
    },
    {
      name: 'a digest that the mirror does not have fails without contact to the source',
      pull: ['registry.redhat.io/ubi9/ubi', 'digest'],
      heldBy: ['registry.redhat.io/ubi9/ubi'],
      contacts: ['mirror.example.com:443'],
      servedBy: undefined,
    },
    {
      name: 'a tag fails without any contact, even to the mirror, which is for digests',
      pull: ['registry.redhat.io/ubi9/ubi', 'tag'],
      heldBy: ['mirror.example.com/ubi9/ubi', 'registry.redhat.io/ubi9/ubi'],
      contacts: [],
      servedBy: undefined,
    },
  ],
  'pause-image.yaml': [
    {
      name: 'the tag comes from the mirror',
      pull: ['mcr.microsoft.com/oss/kubernetes/pause', 'tag'],
      heldBy: ['mirror.example.com/oss/kubernetes/pause'],
      contacts: ['mirror.example.com:443'],
      servedBy: 'mirror.example.com/oss/kubernetes/pause',
    },
  ],
  'pull-through-cache.yaml': [
    {
      name: 'the cache is asked with the prefix that names the registry behind it',
      pull: ['docker.io/library/nginx', 'digest'],
      heldBy: ['harbor.example.com/docker.io/library/nginx'],
      contacts: ['harbor.example.com:443'],
      servedBy: 'harbor.example.com/docker.io/library/nginx',
    },
    {
      name: 'what the cache does not have comes from the API host of Docker Hub',
      pull: ['docker.io/library/nginx', 'tag'],
      heldBy: ['docker.io/library/nginx'],
      contacts: ['registry-1.docker.io:443', 'harbor.example.com:443'],
      servedBy: 'registry-1.docker.io/library/nginx',
    },
  ],
  'release-payload.yaml': [
    {
      name: 'a set for Linux alone does not reach the node',
      pull: ['quay.io/openshift-release-dev/ocp-release', 'digest'],
      heldBy: ['mirror.example.com/openshift/release-images', 'quay.io/openshift-release-dev/ocp-release'],
      contacts: ['quay.io:443'],
      servedBy: 'quay.io/openshift-release-dev/ocp-release',
    },
  ],
  'tag-mirror.yaml': [
    {
      name: 'the declared mirror is not what is asked for',
      pull: ['quay.io/remote-org/image', 'tag'],
      heldBy: ['quay.io/my-org/image', 'quay.io/remote-org/image'],
      contacts: ['quay.io:443'],
      servedBy: 'quay.io/remote-org/image',
    },
    {
      name: 'the compliant mirror is',
      pull: ['quay.io/remote-org/image', 'tag'],
      heldBy: ['quay.io/my-org/remote-org/image', 'quay.io/remote-org/image'],
      contacts: ['quay.io:443'],
      servedBy: 'quay.io/my-org/remote-org/image',
    },
  ],
  'tag-whole-registry.yaml': [
    {
      name: 'any tag goes to the API host of Docker Hub first',
      pull: ['docker-mirror.internal/team/app', 'tag'],
      heldBy: ['docker.io/team/app', 'docker-mirror.internal/team/app'],
      contacts: ['registry-1.docker.io:443'],
      servedBy: 'registry-1.docker.io/team/app',
    },
  ],
  'ubi9repo.yaml': [
    {
      name: 'the declared mirrors have it, and the source serves it',
      pull: ['registry.access.redhat.com/ubi9/ubi-minimal', 'digest'],
      heldBy: [
        'example.io/example/ubi-minimal',
        'example.com/example2/ubi-minimal',
        'registry.access.redhat.com/ubi9/ubi-minimal',
      ],
      contacts: ['example.io:443', 'example.com:443', 'registry.access.redhat.com:443'],
      servedBy: 'registry.access.redhat.com/ubi9/ubi-minimal',
    },
    {
      name: 'mirrors that break the naming rule are left out when the policy says so',
      view: { naming: 'omit' },
      pull: ['registry.access.redhat.com/ubi9/ubi-minimal', 'digest'],
      heldBy: ['example.io/example/ubi9/ubi-minimal', 'registry.access.redhat.com/ubi9/ubi-minimal'],
      contacts: ['registry.access.redhat.com:443'],
      servedBy: 'registry.access.redhat.com/ubi9/ubi-minimal',
    },
    {
      name: 'its whole registry is mirrored at the root of another',
      pull: ['registry.redhat.io/rhel9/httpd', 'digest'],
      heldBy: ['mirror.example.com/rhel9/httpd'],
      contacts: ['mirror.example.com:443'],
      servedBy: 'mirror.example.com/rhel9/httpd',
    },
  ],
};

const ruleScenarios: readonly Scenario[] = [
  {
    name: 'without a mirror set the source is asked alone',
    sets: [],
    pull: ['q.io/org/image', 'tag'],
    heldBy: ['q.io/org/image'],
    contacts: ['q.io:443'],
    servedBy: 'q.io/org/image',
  },
  {
    name: 'merged lists keep the order of each',
    sets: [
      idms('two', [['q.io', ['c.io', 'd.io', 'e.io']]]),
      idms('one', [['q.io', ['z.io', 'b.io', 'c.io']]]),
    ],
    pull: ['q.io/org/image', 'digest'],
    heldBy: ['e.io/org/image', 'q.io/org/image'],
    contacts: ['z.io:443', 'b.io:443', 'c.io:443', 'd.io:443', 'e.io:443'],
    servedBy: 'e.io/org/image',
  },
  {
    name: 'a tag passes digest-only mirrors over, and takes the first that is for tags',
    sets: [idms('d', [['q.io', ['d.io']]]), itms('t', [['q.io', ['t.io']]])],
    pull: ['q.io/org/image', 'tag'],
    heldBy: ['t.io/org/image', 'q.io/org/image'],
    contacts: ['t.io:443', 'd.io:443'],
    servedBy: 't.io/org/image',
  },
  {
    name: 'a digest counts where there is a tag too',
    sets: [idms('d', [['q.io', ['d.io']]]), itms('t', [['q.io', ['t.io']]])],
    pull: ['q.io/org/image', 'tag and digest'],
    heldBy: ['d.io/org/image', 't.io/org/image'],
    contacts: ['d.io:443'],
    servedBy: 'd.io/org/image',
  },
  {
    name: 'one mirror for digests and for tags resolves tags',
    sets: [idms('d', [['q.io', ['both.io/p']]]), itms('t', [['q.io', ['both.io/p']]])],
    pull: ['q.io/org/image', 'tag'],
    heldBy: ['both.io/p/org/image', 'q.io/org/image'],
    contacts: ['both.io:443'],
    servedBy: 'both.io/p/org/image',
  },
  {
    name: 'a forbidden source: a tag mirror is asked a second time in its place',
    sets: [itms('t', [['q.io', ['t.io/a', 'u.io'], 'NeverContactSource']])],
    pull: ['q.io/org/image', 'tag'],
    heldBy: ['q.io/org/image'],
    contacts: ['t.io:443', 'u.io:443'],
    servedBy: undefined,
  },
  {
    name: 'a source forbidden for one repository is forbidden for its whole registry',
    sets: [idms('d', [['q.io/a', ['m.io/a'], 'NeverContactSource']])],
    pull: ['q.io/unrelated/image', 'digest'],
    heldBy: ['q.io/unrelated/image'],
    contacts: ['m.io:443'],
    servedBy: undefined,
  },
  {
    name: 'a forbidden source without a usable mirror: a digest goes nowhere',
    sets: [idms('d', [['q.io/a', ['m.io/b'], 'NeverContactSource']])],
    view: { naming: 'omit' },
    pull: ['q.io/a', 'digest'],
    heldBy: ['m.io/b', 'm.io/a', 'q.io/a'],
    contacts: ['mirrorgate.invalid:443'],
    servedBy: undefined,
  },
  {
    name: 'a forbidden source without a usable mirror: a tag is not even tried',
    sets: [itms('t', [['q.io/a', ['m.io/b'], 'NeverContactSource']])],
    view: { naming: 'omit' },
    pull: ['q.io/a', 'tag'],
    heldBy: ['m.io/b', 'm.io/a', 'q.io/a'],
    contacts: [],
    servedBy: undefined,
  },
  {
    name: 'ports of source and mirror',
    sets: [idms('d', [['q.io:5000/org', ['m.io:8443/copies/org', 'm.io/other/org']]])],
    pull: ['q.io:5000/org/image', 'digest'],
    heldBy: ['q.io:5000/org/image'],
    contacts: ['m.io:8443', 'm.io:443', 'q.io:5000'],
    servedBy: 'q.io:5000/org/image',
  },
  {
    name: 'a port makes another registry, whose mirrors do not count without it',
    sets: [idms('d', [['q.io:5000', ['m.io']]])],
    pull: ['q.io/org/image', 'digest'],
    heldBy: ['m.io/org/image', 'q.io/org/image'],
    contacts: ['q.io:443'],
    servedBy: 'q.io/org/image',
  },
  {
    name: 'the port of HTTPS, written',
    sets: [itms('t', [['q.io:443', ['m.io:443/p']]])],
    pull: ['q.io:443/org/image', 'tag'],
    heldBy: ['q.io:443/org/image'],
    contacts: ['m.io:443', 'q.io:443'],
    servedBy: 'q.io/org/image',
  },
  {
    name: 'a proxy cache of several registries',
    sets: [
      itms('t', [
        ['docker.io', ['cache.io/docker.io']],
        ['quay.io', ['cache.io/quay.io']],
      ]),
    ],
    pull: ['quay.io/org/image', 'tag'],
    heldBy: ['cache.io/quay.io/org/image'],
    contacts: ['cache.io:443'],
    servedBy: 'cache.io/quay.io/org/image',
  },
  {
    name: 'sources that only Linux nodes use do not count',
    sets: [idms('payload', [['q.io/release', ['m.io/payload']]]), idms('d', [['q.io/org', ['m.io/org']]])],
    view: { linuxOnlySources: [reference('q.io/release')] },
    pull: ['q.io/release/image', 'digest'],
    heldBy: ['m.io/payload/release/image', 'q.io/release/image'],
    contacts: ['m.io:443', 'q.io:443'],
    servedBy: 'q.io/release/image',
  },
  {
    name: 'a set for Linux alone does not forbid the source',
    sets: [idms('linux', [['q.io', ['m.io'], 'NeverContactSource']], { [osLabel]: 'linux' })],
    pull: ['q.io/org/image', 'tag'],
    heldBy: ['m.io/org/image', 'q.io/org/image'],
    contacts: ['q.io:443'],
    servedBy: 'q.io/org/image',
  },
  {
    name: 'a wildcard source has no effect',
    sets: [idms('w', [['*.q.io', ['m.io'], 'NeverContactSource']])],
    pull: ['r.q.io/org/image', 'digest'],
    heldBy: ['m.io/org/image', 'r.q.io/org/image'],
    contacts: ['r.q.io:443'],
    servedBy: 'r.q.io/org/image',
  },
  {
    name: 'a registry that Windows cannot name a directory after has no mirrors',
    sets: [idms('d', [['aux.q.io', ['m.io'], 'NeverContactSource']])],
    pull: ['aux.q.io/org/image', 'digest'],
    heldBy: ['m.io/org/image', 'aux.q.io/org/image'],
    contacts: ['aux.q.io:443'],
    servedBy: 'aux.q.io/org/image',
  },
  {
    name: 'a shortened mirror is asked for the whole path of the source',
    sets: [idms('d', [['q.io/team/app', ['m.io/copies/app']]])],
    pull: ['q.io/team/app', 'digest'],
    heldBy: ['m.io/copies/team/app'],
    contacts: ['m.io:443'],
    servedBy: 'm.io/copies/team/app',
  },
  {
    name: 'an unreachable first mirror costs an attempt, and the next serves',
    sets: [itms('t', [['q.io', ['down.io', 'm.io']]])],
    listeners: { 'down.io:443': { speaks: 'closed' } },
    pull: ['q.io/org/image', 'tag'],
    heldBy: ['m.io/org/image', 'q.io/org/image'],
    contacts: ['down.io:443', 'm.io:443'],
    servedBy: 'm.io/org/image',
  },
  {
    name: 'a mirror whose certificate is not trusted is passed over',
    sets: [itms('t', [['q.io', ['unknown.io', 'm.io']]])],
    listeners: { 'unknown.io:443': { speaks: 'untrusted' } },
    pull: ['q.io/org/image', 'tag'],
    heldBy: ['unknown.io/org/image', 'm.io/org/image'],
    contacts: ['unknown.io:443', 'm.io:443'],
    servedBy: 'm.io/org/image',
  },
  {
    name: 'a mirror in plain HTTP that is not listed as insecure is passed over',
    sets: [itms('t', [['q.io', ['plain.io:5000', 'm.io']]])],
    listeners: { 'plain.io:5000': { speaks: 'http' } },
    pull: ['q.io/org/image', 'tag'],
    heldBy: ['plain.io:5000/org/image', 'm.io/org/image'],
    contacts: ['plain.io:5000', 'm.io:443'],
    servedBy: 'm.io/org/image',
  },
  {
    name: 'a first mirror that answers 404 hands on to the next',
    sets: [itms('t', [['q.io', ['empty.io', 'm.io']]])],
    pull: ['q.io/org/image', 'tag'],
    heldBy: ['m.io/org/image', 'q.io/org/image'],
    contacts: ['empty.io:443', 'm.io:443'],
    servedBy: 'm.io/org/image',
  },
  {
    name: 'a first mirror that answers 500 hands on to the next',
    sets: [itms('t', [['q.io', ['ill.io', 'm.io']]])],
    listeners: { 'ill.io:443': { speaks: 'tls', status: 500 } },
    pull: ['q.io/org/image', 'tag'],
    heldBy: ['ill.io/org/image', 'm.io/org/image'],
    contacts: ['ill.io:443', 'm.io:443'],
    servedBy: 'm.io/org/image',
  },
  {
    name: 'two mirrors that come to one prefix are asked once',
    sets: [
      idms('d', [
        ['q.io/a', ['m.io/p/a', 'n.io/a']],
        ['q.io/b', ['m.io/p/b']],
        ['q.io/c/d', ['m.io/p/d']],
      ]),
    ],
    pull: ['q.io/b', 'digest'],
    heldBy: ['q.io/b'],
    contacts: ['m.io:443', 'n.io:443', 'q.io:443'],
    servedBy: 'q.io/b',
  },
  {
    name: 'a mirror on the registry of the source',
    sets: [idms('d', [['q.io/team', ['q.io/copies/team']]])],
    pull: ['q.io/team/app', 'digest'],
    heldBy: ['q.io/copies/team/app', 'q.io/team/app'],
    contacts: ['q.io:443'],
    servedBy: 'q.io/copies/team/app',
  },
  {
    name: 'path segments with every separator',
    sets: [itms('t', [['q.io/a.b/c_d', ['m.io/x__y/z---0/a.b/c_d']]])],
    pull: ['q.io/a.b/c_d/e-f', 'tag'],
    heldBy: ['m.io/x__y/z---0/a.b/c_d/e-f'],
    contacts: ['m.io:443'],
    servedBy: 'm.io/x__y/z---0/a.b/c_d/e-f',
  },
  {
    name: 'credentials reach the hosts that they are for, the source among them',
    sets: [itms('t', [['q.io', ['a.io/p', 'b.io', 'c.io/r']]])],
    auths: { 'a.io/p': 'path:secret', 'a.io': 'host:secret', 'c.io/other': 'x:y', 'q.io': 'source:secret' },
    listeners: {
      'a.io:443': { speaks: 'tls', authorization: basic('path:secret') },
      'q.io:443': { speaks: 'tls', authorization: basic('source:secret') },
    },
    pull: ['q.io/org/image', 'tag'],
    heldBy: ['q.io/org/image'],
    contacts: ['a.io:443', 'b.io:443', 'c.io:443', 'q.io:443'],
    servedBy: 'q.io/org/image',
  },
  {
    name: 'a credential opens the mirror that asks for it',
    sets: [idms('d', [['q.io', ['m.io:5000/p'], 'NeverContactSource']])],
    auths: { 'm.io:5000': 'robot:secret', 'm.io': 'other:port' },
    listeners: { 'm.io:5000': { speaks: 'tls', authorization: basic('robot:secret') } },
    pull: ['q.io/org/image', 'digest'],
    heldBy: ['m.io:5000/p/org/image'],
    contacts: ['m.io:5000'],
    servedBy: 'm.io:5000/p/org/image',
  },
  {
    name: 'a credential of a namespace of the source is not sent with images of the others',
    sets: [idms('d', [['q.io', ['m.io']]])],
    auths: { 'q.io/private': 'private:secret' },
    pull: ['q.io/public/image', 'digest'],
    heldBy: ['q.io/public/image'],
    contacts: ['m.io:443', 'q.io:443'],
    servedBy: 'q.io/public/image',
  },
  {
    name: 'a wrong credential is told apart from the image, and the next mirror serves',
    sets: [idms('d', [['q.io', ['m.io', 'n.io']]])],
    auths: { 'm.io': 'old:secret' },
    listeners: { 'm.io:443': { speaks: 'tls', authorization: basic('new:secret') } },
    pull: ['q.io/org/image', 'digest'],
    heldBy: ['m.io/org/image', 'n.io/org/image'],
    contacts: ['m.io:443', 'n.io:443'],
    servedBy: 'n.io/org/image',
  },
];

/** Every named case; each call makes new ones, with images and tags that no other case has. */
export function namedCases(): NamedCase[] {
  const examples = Object.entries(exampleScenarios).flatMap(([file, scenarios]) => {
    const text = readFileSync(join(examplesFolder, file), 'utf8');
    const sets = parseManifests(text, file).sets.map(({ set }) => set);
    return scenarios.map((scenario) => ({ ...scenario, sets, name: `${file}: ${scenario.name}` }));
  });
  return [...examples, ...ruleScenarios].map(namedCase);
}

/** Example files that some case pulls through. */
export const coveredExamples = Object.keys(exampleScenarios).sort();

function namedCase(scenario: Scenario, index: number): NamedCase {
  const { name, sets, heldBy, view, auths = {}, listeners = {}, contacts, servedBy } = scenario;
  const [repository, by] = scenario.pull;
  // Every third image stands below an index, as most published ones do.
  const image = tinyImage(name, { layers: 1, index: index % 3 === 0 });
  const tag = `named-${index}`;
  return {
    pullCase: {
      name,
      sets,
      image: {
        repository: reference(repository),
        tag: by === 'digest' ? undefined : tag,
        digest: by === 'tag' ? undefined : image.root.digest,
      },
      view: { naming: 'shorten', linuxOnlySources: [], ...view },
      auths,
      insecureRegistries: [],
      holdings: heldBy.map((text) => ({ repository: reference(text), image, tag })),
      listeners,
    },
    contacts,
    servedBy,
  };
}

function basic(credential: string): string {
  return `Basic ${Buffer.from(credential).toString('base64')}`;
}
