// A part of what stands at a netfilter hook, by priority: fakes run hooks in parts where something that is no rule stands in between, as
// ip_vs does. Hooks themselves are nft's (nft/objects.ts).

/** Priorities from `from` on and below `below`; what is not given is no limit. */
export interface HookPart {
  readonly from?: number | undefined;
  readonly below?: number | undefined;
}

export function isInPart(
  priority: number,
  { from = Number.NEGATIVE_INFINITY, below = Infinity }: HookPart,
): boolean {
  return from <= priority && priority < below;
}
