// Applies the rtnetlink part of the desired state and looks what came of it. The rest of a pass is node-pass.ts's.
import { isNotFound } from '../kernel/kernel-error.ts';
import type { RouteState } from '../kernel/route/objects.ts';
import { planRoute } from '../kernel/route/plan.ts';
import type { RouteStep, StepResult } from '../kernel/route/step.ts';
import { errorMessage } from '../runtime/error-text.ts';
import type { PeerPlan } from './backend/backend.ts';
import type { DesiredState } from './desired-state.ts';
import { podPortSteps } from './pod-ports.ts';
import { stepSubject, subjectName } from './route-steps.ts';

/** The rtnetlink state of the node. */
export interface NodeRoutes {
  /** `thorough`: as the kernel lists it, not as its notifications add up to. */
  read(thorough: boolean): RouteState;
  apply(steps: readonly RouteStep[]): readonly StepResult[];
}

export interface ApplyRoutesInput {
  readonly desired: Pick<DesiredState, 'route' | 'scope'>;
  readonly actual: RouteState;
  /** The bridge of the pods, and the host's ends of their veth pairs. */
  readonly pods: { readonly bridge: string; readonly hostLinks: readonly string[] };
  /** Takes in what could not be done, by the name of the object. */
  readonly failed: Map<string, unknown>;
}

export interface AppliedRoutes {
  /** Those that succeeded. */
  readonly steps: readonly RouteStep[];
  /** Names of objects that are still not as wanted. */
  readonly remaining: ReadonlySet<string>;
}

/** A device that is deleted takes its rows along one by one: a plan made meanwhile is out of date at once. */
const rounds = 3;

/** Applies the plan and looks what is left of it, and once more if the kernel went on meanwhile. */
export function applyRoutes(driver: NodeRoutes, input: ApplyRoutesInput): AppliedRoutes {
  const { desired, actual, pods, failed } = input;
  const planFor = (state: RouteState): readonly RouteStep[] => [
    ...planRoute(desired.route, state, desired.scope),
    ...podPortSteps(state, pods),
  ];
  const steps: RouteStep[] = [];
  const errors = new Map<string, Error>();
  let plan = planFor(actual);
  for (let round = 0; round < rounds && plan.length > 0; round++) {
    errors.clear();
    for (const { step, error } of driver.apply(plan)) {
      if (error === undefined) steps.push(step);
      else errors.set(subjectName(stepSubject(step)), error);
    }
    plan = planFor(driver.read(false));
    // What the kernel refuses for good it would refuse again.
    if (errors.size > 0 && ![...errors.values()].some(isNotFound)) break;
  }
  for (const [name, error] of errors) failed.set(name, error);
  const remaining = new Set(plan.map((step) => subjectName(stepSubject(step))));
  for (const name of remaining) {
    if (!failed.has(name)) failed.set(name, new Error(`Cannot keep ${name}: it changed again at once`));
  }
  return { steps, remaining };
}

/** The peers of which an object is not there, and why. */
export function unprogrammedPeers(
  peers: readonly PeerPlan[],
  remaining: ReadonlySet<string>,
  failed: ReadonlyMap<string, unknown>,
  pending: ReadonlyMap<string, string> = new Map(),
): ReadonlyMap<PeerPlan, string> {
  const reasons = new Map<PeerPlan, string>();
  for (const peer of peers) {
    const left = remaining.size === 0 ? undefined : namesOf(peer).find((name) => remaining.has(name));
    const uncarried =
      failed.size + pending.size === 0
        ? undefined
        : peer.keys.carried?.find((name) => failed.has(name) || pending.has(name));
    if (peer.problem !== undefined) reasons.set(peer, peer.problem);
    else if (left !== undefined) reasons.set(peer, errorMessage(failed.get(left)));
    else if (uncarried !== undefined)
      reasons.set(peer, pending.get(uncarried) ?? errorMessage(failed.get(uncarried)));
  }
  return reasons;
}

function namesOf({ keys }: PeerPlan): readonly string[] {
  return [
    ...keys.neighbours.map((key) => subjectName({ kind: 'neighbour', key })),
    ...keys.fdb.map((key) => subjectName({ kind: 'fdb', key })),
    ...keys.routes.map((key) => subjectName({ kind: 'route', key })),
  ];
}
