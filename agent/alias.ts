// The marks on links that Netloom made (IFLA_IFALIAS): by them stale devices are told from a stranger's of the same name.

/** What the agent makes, and takes away when it is not wanted any more. */
export const netloomAlias = 'netloom';

/** What pods' networks of their own have, which the agent knows nothing of: their bridges, and gateways in VLANs. */
export const wiringAlias = 'netloom-cni';

export function isNetloomAlias(alias: string | undefined): boolean {
  return alias === netloomAlias || alias === wiringAlias;
}
