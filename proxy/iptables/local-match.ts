// How rules tell packets of local pods from others (kube-proxy's detectLocalMode), as iptables text.
import type { LocalDetector } from '../rule-context.ts';

/** Undefined: not configured, and no such rule is written. */
export function ifLocal(detector: LocalDetector): string | undefined {
  return matchOf(detector);
}

/** Undefined also where everything is local: iptables refuses "! -s 0.0.0.0/0". */
export function ifNotLocal(detector: LocalDetector): string | undefined {
  if (detector.kind === 'prefix' && detector.prefix.length === 0) return undefined;
  const match = matchOf(detector);
  return match === undefined ? undefined : `! ${match}`;
}

function matchOf(detector: LocalDetector): string | undefined {
  switch (detector.kind) {
    case 'prefix':
      return `-s ${detector.prefix}`;
    case 'bridge':
      return `-i ${detector.link}`;
    case 'link-prefix':
      return `-i ${detector.prefix}+`;
    case 'none':
      return undefined;
    default:
      return detector satisfies never;
  }
}
