// Why a combination cannot be had on this machine: the backend cannot carry the families, or the kernel and its programs lack what the
// doctor would miss on a node of it. Pure.
import { type FeatureAnswer, isNeededBy, type NodeSetup } from '../../../agent/doctor/features/feature.ts';
import { proxyModeFeatureName } from '../../doctor-proxy-modes.ts';
import { familiesOfLab, labNetworks } from '../lab-networks.ts';
import { whyNotNetwork } from '../network-config.ts';
import type { Combination } from './combination.ts';

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
  // A proxy goes on without a family that the kernel cannot do, and nobody misses it where the lab has none of it.
  const spared = new Set(
    ([4, 6] as const)
      .filter((family) => !own.includes(family))
      .map((family) => proxyModeFeatureName(proxyMode, family)),
  );
  const missing = answers.filter(
    ({ name, state, uses }) =>
      state === 'no' && !spared.has(name) && uses.some((use) => isNeededBy(use, setup)),
  );
  return missing.length === 0 ? undefined : `missing here: ${missing.map(({ title }) => title).join(', ')}`;
}
