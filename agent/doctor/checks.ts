// The doctor's checks, in the order in which they are told. A check is a pure function of what was seen of the node; to add
// one, write it and name it here.
import {
  deadAttachments,
  leakedAddresses,
  orphanLinks,
  strayRules,
  unknownPods,
} from './attachment-checks.ts';
import { leftFiles, queuedDeletions, spoiltRecords } from './file-checks.ts';
import type { Finding } from './finding.ts';
import {
  addressConflicts,
  bridgedAnswers,
  mtus,
  routeConflicts,
  strictReversePath,
} from './network-checks.ts';
import { forwardDrop, forwardingOff, forwardPolicy, otherConflists } from './node-checks.ts';
import type { NodeFacts } from './node-facts.ts';
import { storeAccess } from './store-access-checks.ts';
import { clockSkew, staleMount, storeProblems } from './store-checks.ts';

export type DoctorCheck = (facts: NodeFacts) => readonly Finding[];

export const doctorChecks: readonly DoctorCheck[] = [
  leakedAddresses,
  deadAttachments,
  unknownPods,
  orphanLinks,
  strayRules,
  spoiltRecords,
  leftFiles,
  queuedDeletions,
  otherConflists,
  forwardPolicy,
  forwardDrop,
  forwardingOff,
  bridgedAnswers,
  routeConflicts,
  addressConflicts,
  mtus,
  strictReversePath,
  storeAccess,
  storeProblems,
  clockSkew,
  staleMount,
];

export function runChecks(
  facts: NodeFacts,
  checks: readonly DoctorCheck[] = doctorChecks,
): readonly Finding[] {
  return checks.flatMap((check) => check(facts));
}
