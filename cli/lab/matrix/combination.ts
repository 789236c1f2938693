// A lab of the matrix by what it differs in from the others: backend, families, proxy mode. Pure.
import { type ProxyModeName, proxyModes } from '../../../proxy/proxy-mode.ts';
import { type LabFamilies, labFamilyChoices } from '../lab-networks.ts';
import { type LabBackend, labBackends } from '../lab-plan.ts';

export interface Combination {
  readonly backend: LabBackend;
  readonly families: LabFamilies;
  readonly proxyMode: ProxyModeName;
}

/** What is not named is taken whole. */
export interface MatrixFilter {
  readonly backends?: readonly LabBackend[] | undefined;
  readonly families?: readonly LabFamilies[] | undefined;
  readonly proxyModes?: readonly ProxyModeName[] | undefined;
}

/** All that there are, in the order of the table, but for what the filter leaves out. */
export function combinations(filter: MatrixFilter = {}): readonly Combination[] {
  const chosen = <T>(all: readonly T[], some: readonly T[] | undefined): readonly T[] =>
    some === undefined ? all : all.filter((one) => some.includes(one));
  return chosen(labBackends, filter.backends).flatMap((backend) =>
    chosen(labFamilyChoices, filter.families).flatMap((families) =>
      chosen(proxyModes, filter.proxyModes).map((proxyMode) => ({ backend, families, proxyMode })),
    ),
  );
}

export function combinationName({ backend, families, proxyMode }: Combination): string {
  return `${backend}, ${families}, ${proxyMode}`;
}
