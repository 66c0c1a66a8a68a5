/** What sets the pull plans of Windows and Linux apart for one image, as sentences for a person. */
import { sameReference } from './naming.js';
import type { Endpoint, EndpointOrigin, PullPlan } from './pull-plan.js';
import { formatReference, registryOf, type Reference } from './reference.js';

export interface PlanDifference {
  /** One sentence, without its full stop. */
  readonly message: string;
  /** The rule that finds its cause in a mirror set, where there is one. */
  readonly rule?: string;
  /** The mirror it comes from. */
  readonly origin?: EndpointOrigin;
}

/** Compares the two plans of one image; nothing when both ask the same places in the same order for the same things. */
export function comparePlans(windows: PullPlan, linux: PullPlan): PlanDifference[] {
  return [
    ...windows.endpoints.flatMap((endpoint) => windowsAlone(endpoint, linux, windows)),
    ...linux.endpoints.flatMap((endpoint) => linuxAlone(endpoint, windows)),
    ...sourceDifference(windows, linux),
    ...orderDifference(windows, linux),
  ];
}

function windowsAlone(endpoint: Endpoint, linux: PullPlan, windows: PullPlan): PlanDifference[] {
  if (endpoint.role !== 'mirror') return [];
  const asked = formatReference(endpoint.repository);
  const byTag = windows.image.digest === undefined;

  const misnamed = endpoint.origins.filter(
    ({ declared }) => declared !== undefined && !sameReference(declared, endpoint.repository),
  );
  if (misnamed.length > 0) {
    return misnamed.map((origin) => ({
      message: 'Windows does not ask for the declared mirror',
      rule: 'windows-mirror-path',
      origin,
    }));
  }
  if (byTag && !endpoint.resolve) {
    const [origin] = endpoint.origins;
    return [
      {
        message: `Windows passes ${asked} over while it resolves the tag, and uses it for the content behind it; Linux does not use it for a tag`,
        ...(origin && { origin }),
      },
    ];
  }
  if (asksFor(linux, endpoint.repository)) return [];
  const [origin] = endpoint.origins;
  if (origin === undefined) return [];
  if (origin.declared === undefined) {
    return [
      {
        message: `Windows asks ${asked} too, put there for other images: every mirror acts on the whole registry`,
        ...(origin.kind === 'ImageTagMirrorSet' && { rule: 'itms-widened-on-windows' }),
        origin,
      },
    ];
  }
  return [
    {
      message: byTag
        ? `Windows asks ${asked}, which Linux does not: a more specific source takes its place there`
        : `Windows asks ${asked} for a digest too, which Linux does not: ${origin.kind === 'ImageTagMirrorSet' ? 'it is a tag-only mirror' : 'a more specific source takes its place there'}`,
      origin,
    },
  ];
}

function linuxAlone(endpoint: Endpoint, windows: PullPlan): PlanDifference[] {
  if (endpoint.role !== 'mirror' || asksFor(windows, endpoint.repository)) return [];
  const [origin] = endpoint.origins;
  // A mirror that Windows asks for under another name has been told of already.
  const misnamed = windows.endpoints.some(({ origins }) =>
    origins.some(
      (other) => other.kind === origin?.kind && other.name === origin.name && other.path === origin.path,
    ),
  );
  if (misnamed || origin === undefined) return [];
  return [
    {
      message: `Linux asks ${formatReference(endpoint.repository)}, which never reaches Windows (a wildcard source, a Linux-only set, a mirror left out, or a registry that Windows cannot name a directory after)`,
      origin,
    },
  ];
}

function sourceDifference(windows: PullPlan, linux: PullPlan): PlanDifference[] {
  if (windows.sourceBlocked === linux.sourceBlocked) return [];
  const registry = registryOf(windows.image.repository);
  return windows.sourceBlocked
    ? [
        {
          message: `Windows never contacts ${registry}: NeverContactSource on any of its repositories holds for all of it`,
          rule: 'never-contact-widened',
        },
      ]
    : [{ message: `Linux never contacts ${registry} for this image, and Windows does` }];
}

/** Only where both ask the same places, since any other difference has been told. */
function orderDifference(windows: PullPlan, linux: PullPlan): PlanDifference[] {
  const places = (plan: PullPlan) =>
    plan.endpoints
      .filter(({ role }) => role !== 'fallback')
      .map(({ repository }) => formatReference(repository));
  const [ours, theirs] = [places(windows), places(linux)];
  const sameSet = ours.length === theirs.length && ours.every((place) => theirs.includes(place));
  if (!sameSet || ours.every((place, at) => place === theirs[at])) return [];
  return [
    {
      message: `Windows asks in another order than Linux: ${ours.join(', ')}`,
      rule: 'mirror-order-conflict',
    },
  ];
}

function asksFor(plan: PullPlan, repository: Reference): boolean {
  return plan.endpoints.some(
    (endpoint) => endpoint.role === 'mirror' && sameReference(endpoint.repository, repository),
  );
}
