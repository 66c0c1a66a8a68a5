import { randomUUID } from 'node:crypto';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { toManifest } from '../mirrors/mirror-set-manifest.js';
import type { MirrorSet } from '../mirrors/mirror-set.js';
import type { ShownResponse } from './oc-output.js';

const answerSchema = z.object({
  response: z.object({
    allowed: z.boolean(),
    warnings: z.array(z.string()).optional(),
    status: z.object({ reason: z.string(), message: z.string() }).optional(),
  }),
});

const resources = {
  ImageDigestMirrorSet: 'imagedigestmirrorsets',
  ImageTagMirrorSet: 'imagetagmirrorsets',
} as const;

/**
 * Asks the webhook about a set that someone creates, as the API server does: over HTTPS, trusting one authority.
 *
 * @param ca PEM of the authority
 * @throws Error when the webhook cannot be reached or does not answer with a review
 */
export async function postReview(url: string, ca: string, set: MirrorSet): Promise<ShownResponse> {
  const review = {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: randomUUID(),
      kind: { group: 'config.openshift.io', version: 'v1', kind: set.kind },
      resource: { group: 'config.openshift.io', version: 'v1', resource: resources[set.kind] },
      name: set.name,
      operation: 'CREATE',
      userInfo: { username: 'you', groups: ['system:authenticated'] },
      object: toManifest(set),
      oldObject: null,
      dryRun: false,
    },
  };
  return answerSchema.parse(
    JSON.parse(await post(`${url}/validate/mirror-sets?timeout=5s`, ca, JSON.stringify(review))),
  ).response;
}

function post(url: string, ca: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request(url, { method: 'POST', ca, headers }, (response) => {
      text(response).then((answer) => {
        if (response.statusCode === 200) resolve(answer);
        else reject(new Error(`the webhook answered ${response.statusCode ?? 'nothing'}: ${answer}`));
      }, reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
