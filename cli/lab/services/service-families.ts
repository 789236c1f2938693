// Which families a service of a lab has: its ipFamilyPolicy and ipFamilies, what is missing filled in as an API server does it
// (KEP-563). Pure.
import { type Family, IpAddress } from '../../../net/address.ts';
import { familyName } from '../../../proxy/family-name.ts';
import { type IpFamily, type IpFamilyPolicy, manifestKey, type ServiceManifest } from './service-manifest.ts';

export interface ServiceFamilies {
  readonly policy: IpFamilyPolicy;
  /** The first is that of its first cluster IP. */
  readonly families: readonly Family[];
}

/** `lab`: the lab's families, the usual one first. Throws SyntaxError that names the service and the field. */
export function serviceFamilies(service: ServiceManifest, lab: readonly Family[]): ServiceFamilies {
  const { spec } = service;
  const refuse = (field: string, why: string): never => {
    throw new SyntaxError(`Cannot use service "${manifestKey(service)}": spec.${field}: ${why}`);
  };
  const policy = spec.ipFamilyPolicy ?? 'SingleStack';
  const stated = spec.ipFamilies ?? [];
  const given = givenIps(spec)
    .map(familyOf)
    .filter((family) => family !== undefined);
  const asked = stated.length > 0 ? stated.map(familyOfName) : given;
  const field = stated.length > 0 ? 'ipFamilies' : 'clusterIPs';
  if (new Set(asked).size < asked.length)
    refuse(field, `${asked.map(familyName).join(', ')}: want each once`);
  const foreign = asked.find((family) => !lab.includes(family));
  if (foreign !== undefined)
    refuse(field, `this lab has no ${familyName(foreign)}, only ${lab.map(familyName).join(' and ')}`);
  if (policy === 'SingleStack') {
    if (asked.length > 1)
      refuse('ipFamilyPolicy', 'want PreferDualStack or RequireDualStack for two families');
    return { policy, families: asked.length > 0 ? asked : lab.slice(0, 1) };
  }
  if (policy === 'RequireDualStack' && lab.length < 2)
    refuse('ipFamilyPolicy', `RequireDualStack, but this lab has only ${lab.map(familyName).join()}`);
  return { policy, families: [...asked, ...lab.filter((family) => !asked.includes(family))] };
}

/** The families that endpoints are wanted for, also of a service that nobody has completed. */
export function servedFamilies(
  { spec }: Pick<ServiceManifest, 'spec'>,
  lab: readonly Family[],
): readonly Family[] {
  const stated = (spec.ipFamilies ?? []).map(familyOfName);
  const given = givenIps(spec).flatMap((ip) => familyOf(ip) ?? []);
  const asked = stated.length > 0 ? stated : given;
  return asked.length > 0 ? [...new Set(asked)] : lab.slice(0, 1);
}

/** As they are written: "None" for a headless service. */
export function givenIps({ clusterIP, clusterIPs }: ServiceManifest['spec']): readonly string[] {
  if (clusterIPs !== undefined && clusterIPs.length > 0) return clusterIPs;
  return clusterIP === undefined || clusterIP === '' ? [] : [clusterIP];
}

export function familyOf(ip: string): Family | undefined {
  return IpAddress.tryParse(ip)?.family;
}

function familyOfName(name: IpFamily): Family {
  return name === 'IPv4' ? 4 : 6;
}
