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
  // `new Date` takes 30 February for 2 March.
  const day = text.slice(0, 'yyyy-mm-dd'.length);
  const isMoment = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text);
  const start = (isDay || isMoment) && isCalendarDay(day) ? new Date(text) : new Date(Number.NaN);
  if (!Number.isNaN(start.getTime())) return isDay ? new Date(start.getTime() + dayLength) : start;
  context.addIssue({
    code: 'custom',
    message: `expected a date such as 2027-01-31 or 2027-01-31T12:00:00Z, found ${JSON.stringify(text)}`,
  });
  return z.NEVER;
});

function isCalendarDay(day: string): boolean {
  const start = new Date(day);
  return !Number.isNaN(start.getTime()) && start.toISOString().startsWith(day);
}

const someText = z
  .string()
  .refine((written) => written.trim() !== '', { error: 'expected some text, found none' });
const emptyList = { error: 'expected at least one item; without the field, anything matches' };
const texts = z.array(someText).min(1, emptyList);

const exemptionSchema = z.strictObject({
  // It is shown within one line.
  reason: someText.transform((written) => written.trim().replace(/\s+/g, ' ')),
  expires,
  match: z
    .strictObject({
      kinds: z
        .array(z.enum(['ImageDigestMirrorSet', 'ImageTagMirrorSet']))
        .min(1, emptyList)
        .optional(),
      names: texts.optional(),
      users: texts.optional(),
      groups: texts.optional(),
      rules: z.array(ruleId).min(1, emptyList).optional(),
    })
    .refine((match) => Object.values(match).some((list) => list !== undefined), {
      error:
        'expected at least one of kinds, names, users, groups, rules: an exemption from everything is no policy',
    }),
});

/** As written in a file; every field of `spec` may be left out or have nothing behind it. */
export const policyFileSchema = z.strictObject({
  apiVersion: z.literal(policyApiVersion),
  kind: z.literal(policyKind),
  metadata: z.looseObject({}).optional(),
  spec: z
    .strictObject({
      profile: z.enum(profiles).optional(),
      rules: z.record(ruleId, action).nullish(),
      linuxOnlySources: z.array(linuxOnlySource).nullish(),
      pauseImage: pauseImage.optional(),
      rendering: z
        .strictObject({ naming: z.enum(['shorten', 'omit']).optional(), credentials: z.boolean().optional() })
        .nullish(),
      exemptions: z.array(exemptionSchema).nullish(),
    })
    .nullish(),
});

/** Reads a policy from YAML text. Every fault names its field path and what was expected there. */
export function parsePolicy(yaml: string): ParsedPolicy {
  const lineCounter = new LineCounter();
  const document = parseDocument(yaml, { lineCounter, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    const message = error.code === 'MULTIPLE_DOCS' ? 'expected one document, found several' : error.message;
    return refuse(`line ${line}, column ${col}: ${message}`);
  }
  if (document.contents === null) return refuse(`the file is empty; expected a ${policyKind}`);
  let value: unknown;
  try {
    value = document.toJS();
  } catch (cause) {
    // An alias of nothing, or aliases that expand without end.
    return refuse(cause instanceof Error ? cause.message : String(cause));
  }
  const parsed = policyFileSchema.safeParse(value);
  if (!parsed.success) return { ok: false, faults: parsed.error.issues.flatMap(oneForEachKey).map(toFault) };

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

function refuse(message: string): ParsedPolicy {
  return { ok: false, faults: [{ path: '', message }] };
}

/** zod has one issue for all unknown fields of a mapping; whoever mends the file wants to see each. */
function oneForEachKey(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => ({ ...issue, keys: [key] })) : [issue];
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
