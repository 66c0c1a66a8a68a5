import { afterEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '../../../src/cluster/api-error.js';
import { clusterReflectors, type ClusterReflectorsConfig } from '../../../src/cluster/cluster-reflectors.js';
import type { KubeClient, ListScope } from '../../../src/cluster/kube-client.js';
import { resources, type ApiResource } from '../../../src/cluster/kube-object.js';
import { currentObject } from '../../../src/cluster/object-source.js';
import { FakeApi } from './fake-api.js';
import { secret } from './held-objects.js';

const pullSecret = { namespace: 'openshift-config', name: 'pull-secret' };
const least: ClusterReflectorsConfig = {
  sshKey: { namespace: 'wmco', name: 'cloud-private-key' },
  hostKeyPins: { namespace: 'mirrorgate', name: 'mirrorgate-host-keys' },
  reports: false,
};
const full: ClusterReflectorsConfig = {
  ...least,
  pullSecret,
  instances: { namespace: 'wmco', name: 'windows-instances' },
  operatorPins: { namespace: 'wmco', name: 'windows-ssh-host-keys' },
  certificates: {
    secret: { namespace: 'mirrorgate', name: 'mirrorgate-tls' },
    webhookConfiguration: 'mirrorgate',
  },
  reports: true,
};

/** Remembers what was listed. */
function recording(api: FakeApi, refuse: (resource: ApiResource) => boolean = () => false) {
  const asked: string[] = [];
  const client = api.client();
  const list = (resource: ApiResource, scope: ListScope = {}) => {
    const { namespace = '', name = '', labelSelector = '' } = scope;
    asked.push(`${resource.plural} ${namespace}/${name} ${labelSelector}`.trim());
    if (refuse(resource)) return Promise.reject(new ApiError('forbidden', `list ${resource.plural}: no`));
    return client.list(resource, scope);
  };
  // Reflectors ask for nothing else.
  return { asked, client: { ...client, list } as unknown as KubeClient };
}

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function start(
  config: ClusterReflectorsConfig,
  api = new FakeApi(),
  refuse?: (resource: ApiResource) => boolean,
) {
  const { asked, client } = recording(api, refuse);
  const faults: [string, string | undefined][] = [];
  const reflectors = clusterReflectors(client, config, {
    onFault: (what, fault) => faults.push([what, fault?.code]),
  });
  stops.push(() => reflectors.stop());
  return { api, asked, faults, reflectors };
}

describe('clusterReflectors', () => {
  it('asks nothing before it is started, and then for each kind with the least scope', async () => {
    const { asked, reflectors } = start(full);
    expect(asked).toEqual([]);
    expect(reflectors.unsynced()).toHaveLength(14);
    reflectors.start();
    await vi.waitFor(() => {
      expect(reflectors.unsynced()).toEqual([]);
    });
    expect(asked).toEqual([
      'imagedigestmirrorsets /',
      'imagetagmirrorsets /',
      'images /cluster',
      'nodes / kubernetes.io/os=windows',
      'infrastructures /cluster',
      'secrets wmco/cloud-private-key',
      'secrets mirrorgate/mirrorgate-host-keys',
      'configmaps wmco/windows-instances',
      'configmaps wmco/windows-ssh-host-keys',
      'secrets openshift-config/pull-secret',
      'secrets mirrorgate/mirrorgate-tls',
      'validatingwebhookconfigurations /mirrorgate',
      'clusterreports / app.kubernetes.io/managed-by=mirrorgate',
      'clusterpolicyreports / app.kubernetes.io/managed-by=mirrorgate',
    ]);
  });

  it('does not ask for what is not wanted', async () => {
    const { asked, reflectors } = start(least);
    reflectors.start();
    await vi.waitFor(() => {
      expect(reflectors.unsynced()).toEqual([]);
    });
    expect(asked).toHaveLength(7);
    expect(reflectors.pullSecret).toBeUndefined();
    expect(reflectors.instances).toBeUndefined();
    expect(reflectors.operatorPins).toBeUndefined();
    expect(reflectors.tlsSecret).toBeUndefined();
    expect(reflectors.webhookConfiguration).toBeUndefined();
    expect(reflectors.openReports).toBeUndefined();
    expect(reflectors.policyReports).toBeUndefined();
  });

  it('gives named objects as they are', async () => {
    const { api, reflectors } = start(full);
    api.put(resources.secrets, secret(pullSecret, { '.dockerconfigjson': '{}' }));
    reflectors.start();
    await vi.waitFor(() => {
      expect(currentObject(reflectors.pullSecret!)).toMatchObject({ metadata: pullSecret });
    });
    expect(currentObject(reflectors.sshKey)).toBeNull();
    api.remove(resources.secrets, pullSecret);
    await vi.waitFor(() => {
      expect(currentObject(reflectors.pullSecret!)).toBeNull();
    });
  });

  it('follows a Secret that serves two ends once', async () => {
    const { asked, reflectors } = start({ ...least, pullSecret: least.sshKey });
    expect(reflectors.pullSecret?.objects).toBe(reflectors.sshKey.objects);
    reflectors.start();
    await vi.waitFor(() => {
      expect(reflectors.unsynced()).toEqual([]);
    });
    expect(asked).toHaveLength(7);
  });

  it('says what is not known, what waits for it and why', async () => {
    const { faults, reflectors } = start(full, new FakeApi(), ({ plural }) => plural === 'secrets');
    reflectors.start();
    await vi.waitFor(() => {
      expect(reflectors.unsynced()).toHaveLength(4);
      expect(faults).toHaveLength(4);
    });
    expect(reflectors.unsynced()).toMatchObject([
      { what: 'Secret wmco/cloud-private-key', purposes: ['distribution'], fault: { code: 'forbidden' } },
      { what: 'Secret mirrorgate/mirrorgate-host-keys', purposes: ['distribution'] },
      { what: 'Secret openshift-config/pull-secret', purposes: ['distribution'] },
      { what: 'Secret mirrorgate/mirrorgate-tls', purposes: ['certificates'] },
    ]);
    expect(faults).toContainEqual(['Secret openshift-config/pull-secret', 'forbidden']);
  });

  it('knows that there are none of a kind that is not installed', async () => {
    const api = new FakeApi();
    for (const { plural } of [resources.images, resources.infrastructures, resources.openReports])
      api.unserved.add(plural);
    const { reflectors } = start(full, api);
    reflectors.start();
    await vi.waitFor(() => {
      expect(reflectors.unsynced()).toEqual([]);
    });
    expect(reflectors.images.current()?.size).toBe(0);
    expect(reflectors.openReports?.status().installed).toBe(false);
    expect(reflectors.policyReports?.status().installed).toBe(true);
  });

  it('has nothing under way once it is stopped', async () => {
    const { api, reflectors } = start(full);
    reflectors.start();
    await vi.waitFor(() => {
      expect(api.openWatches).toBe(14);
    });
    await reflectors.stop();
    expect(api.openWatches).toBe(0);
  });
});
