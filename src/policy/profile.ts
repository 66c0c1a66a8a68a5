/** Levels of strictness, after Kubernetes' Pod Security Standards. */
export const profiles = ['audit', 'baseline', 'restricted'] as const;

export type Profile = (typeof profiles)[number];
