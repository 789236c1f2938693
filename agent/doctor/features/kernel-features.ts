// All features that the doctor asks for, in the order in which they are told. What the service proxy's modes do as a whole is added
// by who knows them: nothing of the proxy is known here.
import type { Feature } from './feature.ts';
import { ipsetFeatures } from './ipset-features.ts';
import { iptablesFeatures } from './iptables-features.ts';
import { ipvsFeatures } from './ipvs-features.ts';
import { linkFeatures } from './link-features.ts';
import { nftFeatures } from './nft-features.ts';
import { otherFeatures } from './other-features.ts';

/** `ipvsScheduler`: the one that is set, or would be. */
export function kernelFeatures({ ipvsScheduler }: { readonly ipvsScheduler: string }): readonly Feature[] {
  return [
    ...linkFeatures,
    ...nftFeatures,
    ...iptablesFeatures,
    ...ipvsFeatures(ipvsScheduler),
    ...ipsetFeatures,
    ...otherFeatures,
  ];
}
