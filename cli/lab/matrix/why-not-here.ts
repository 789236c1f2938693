// Why a combination cannot be had on this machine: the backend cannot carry the families, or the kernel and its programs lack what the
// doctor would miss on a node of it. Pure.
import {
  type FeatureAnswer,
  isNeededBy,
  type NodeSetup,
  type Use,
} from '../../../agent/doctor/features/feature.ts';
import { proxyModeFeatureName } from '../../doctor-proxy-modes.ts';
import { familiesOfLab, labNetworks } from '../lab-networks.ts';
import { whyNotNetwork } from '../network-config.ts';
import type { Combination } from './combination.ts';

/** What is told is what the first of these misses: a backend that cannot be had in any mode is told as that. */
const useKinds = ['node', 'backend', 'masquerade', 'proxy-mode'] as const satisfies readonly Use['kind'][];

/** What a lab's agents masquerade with unless they are told otherwise. */
const usualMasquerade = 'nftables';

/** Undefined: it can be tried. A feature that could not be probed is no reason; why one is missing, `netloom doctor` tells. */
export function whyNotHere(
  { backend, families, proxyMode }: Combination,
  answers: readonly FeatureAnswer[],
): string | undefined {
  const own = familiesOfLab(families);
  const networks = own.map((family) => labNetworks[family]);
  const cannot = whyNotNetwork({ backend, networks });
  if (cannot !== undefined) return cannot;
  const setup: NodeSetup = { backend, proxyMode, masquerade: usualMasquerade };
  // Only told where nothing else says why; and a proxy goes on without a family that the lab has none of.
  const whole = new Set(([4, 6] as const).map((family) => proxyModeFeatureName(proxyMode, family)));
  const needed = new Set(own.map((family) => proxyModeFeatureName(proxyMode, family)));
  for (const kind of useKinds) {
    const missing = answers.filter(
      ({ name, state, uses }) =>
        state === 'no' &&
        (!whole.has(name) || needed.has(name)) &&
        uses.some((use) => use.kind === kind && isNeededBy(use, setup)),
    );
    const parts = missing.filter(({ name }) => !whole.has(name));
    const told = (parts.length > 0 ? parts : missing).map(({ title }) => title);
    if (told.length > 0) return `missing here: ${told.join(', ')}`;
  }
  return undefined;
}
