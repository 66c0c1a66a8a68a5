/** The policy file: YAML, `apiVersion: mirrorgate.dev/v1alpha1`, `kind: MirrorPolicy`. */
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { parseImage } from '../mirrors/image-reference.js';
import { toFault, type SchemaFault } from '../mirrors/mirror-set-schema.js';
import { parseReference, type Reference } from '../mirrors/reference.js';
import { ruleIds } from './catalogue.js';
import type { Exemption } from './exemption.js';
import { actions } from './finding.js';
import { defaultPolicy, type MirrorPolicy } from './policy.js';
import { profiles } from './profile.js';

export const policyApiVersion = 'mirrorgate.dev/v1alpha1';
export const policyKind = 'MirrorPolicy';

export type ParsedPolicy =
  | { readonly ok: true; readonly policy: MirrorPolicy }
  | { readonly ok: false; readonly faults: readonly SchemaFault[] };

const action = z.enum([...actions, 'off']);
const ruleId = z.string().refine((id) => ruleIds.includes(id), {
  error: ({ input }) => `no rule is called ${JSON.stringify(input)}; expected one of ${ruleIds.join(', ')}`,
});

const linuxOnlySource = z.string().transform((text, context): Reference => {
  const parsed = parseReference(text, { wildcard: true });
  if (parsed.ok) return parsed.reference;
  context.addIssue({ code: 'custom', message: `${JSON.stringify(text)} ${parsed.fault}` });
  return z.NEVER;
});

const pauseImage = z.string().transform((text, context) => {
  const parsed = parseImage(text);
  if (parsed.ok) return parsed.image;
  context.addIssue({ code: 'custom', message: `${JSON.stringify(text)} ${parsed.fault}` });
  return z.NEVER;
});

const dayLength = 24 * 60 * 60 * 1000;

/** A date holds to its end (UTC); a date with a time holds to that moment. */
const expires = z.string().transform((text, context): Date => {
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const isMoment = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text);
  const start = isDay || isMoment ? new Date(text) : new Date(Number.NaN);
  if (!Number.isNaN(start.getTime()) && (!isDay || start.toISOString().startsWith(text))) {
    return isDay ? new Date(start.getTime() + dayLength) : start;
  }
  context.addIssue({
    code: 'custom',
    message: `expected a date such as 2027-01-31 or 2027-01-31T12:00:00Z, found ${JSON.stringify(text)}`,
  });
  return z.NEVER;
});

const names = z.array(z.string().min(1)).min(1);

const exemptionSchema = z.strictObject({
  reason: z.string().trim().min(1),
  expires,
  match: z
    .strictObject({
      kinds: z
        .array(z.enum(['ImageDigestMirrorSet', 'ImageTagMirrorSet']))
        .min(1)
        .optional(),
      names: names.optional(),
      users: names.optional(),
      groups: names.optional(),
      rules: z.array(ruleId).min(1).optional(),
    })
    .refine((match) => Object.values(match).some((list) => list !== undefined), {
      error:
        'expected at least one of kinds, names, users, groups, rules: an exemption from everything is no policy',
    }),
});

/** As written in a file; every field of `spec` may be left out. */
export const policyFileSchema = z.strictObject({
  apiVersion: z.literal(policyApiVersion),
  kind: z.literal(policyKind),
  metadata: z.looseObject({}).optional(),
  spec: z
    .strictObject({
      profile: z.enum(profiles).optional(),
      rules: z.record(ruleId, action).optional(),
      linuxOnlySources: z.array(linuxOnlySource).optional(),
      pauseImage: pauseImage.optional(),
      rendering: z
        .strictObject({ naming: z.enum(['shorten', 'omit']).optional(), credentials: z.boolean().optional() })
        .optional(),
      exemptions: z.array(exemptionSchema).optional(),
    })
    .nullish(),
});

/** Reads a policy from YAML text. Every fault names its field path and what was expected there. */
export function parsePolicy(text: string): ParsedPolicy {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    return { ok: false, faults: [{ path: '', message: `line ${line}, column ${col}: ${error.message}` }] };
  }
  const parsed = policyFileSchema.safeParse(document.toJS());
  if (!parsed.success) return { ok: false, faults: parsed.error.issues.map(toFault) };

  const spec = parsed.data.spec ?? {};
  const base = defaultPolicy(spec.profile);
  return {
    ok: true,
    policy: {
      profile: base.profile,
      rules: new Map(Object.entries(spec.rules ?? {})),
      view: {
        naming: spec.rendering?.naming ?? base.view.naming,
        linuxOnlySources: spec.linuxOnlySources ?? base.view.linuxOnlySources,
      },
      pauseImage: spec.pauseImage ?? base.pauseImage,
      credentials: spec.rendering?.credentials ?? base.credentials,
      exemptions: (spec.exemptions ?? []).map(toExemption),
    },
  };
}

function toExemption({ reason, expires: end, match }: z.infer<typeof exemptionSchema>): Exemption {
  const { kinds, names: globs, users, groups, rules } = match;
  return {
    reason,
    expires: end,
    match: {
      ...(kinds && { kinds }),
      ...(globs && { names: globs }),
      ...(users && { users }),
      ...(groups && { groups }),
      ...(rules && { rules }),
    },
  };
}
