// Carries the rules of pods in nftables: one small transaction a pod, whatever else is installed. What the rules are is
// nft-tables.ts and nft-elements.ts.
import { isStaleGeneration } from '../../../kernel/kernel-error.ts';
import type { Netns } from '../../../kernel/netns.ts';
import { openNftDriver } from '../../../kernel/nft/driver.ts';
import { type NftState, type Table, tableKey } from '../../../kernel/nft/objects.ts';
import { planNft } from '../../../kernel/nft/plan.ts';
import { SeenGeneration } from '../../../kernel/nft/seen-generation.ts';
import { elementText } from '../../../kernel/nft/set-text.ts';
import { generationAfter, type NftDriver, type NftStep } from '../../../kernel/nft/step.ts';
import { stepObject, stepOperation } from '../../../kernel/nft/step-text.ts';
import { attachmentFileName } from '../attachment.ts';
import type { PodFirewall } from '../pod-firewall.ts';
import type { PodRules } from '../pod-rules.ts';
import { type PlacedElement, placeKey, podElements, podTables, withPod } from './nft-elements.ts';
import { emptyFrameTable, emptyPodTable, familySets, localnet, podTable, podTableIds } from './nft-tables.ts';
import { PortTakenError } from './port-taken.ts';
import { localnetLink, refuseContradiction } from './published-port.ts';
import { type RouteLocalnet, routeLocalnet, switchAll } from './route-localnet.ts';

/** Somebody who changes the ruleset at each attempt goes on doing so: the caller tries again later. */
const attempts = 20;

export interface NftPodFirewallOptions {
  readonly netns?: Netns | undefined;
  /** Opened in `netns`, when first needed, if absent; one that is given is not closed. */
  readonly driver?: NftDriver;
  readonly localnet?: RouteLocalnet;
  /** Shared with another backend; who shares it also notes its looks. */
  readonly seen?: SeenGeneration;
}

export function createNftPodFirewall(options: NftPodFirewallOptions = {}): PodFirewall {
  const { netns, localnet: sysctls = routeLocalnet(netns), seen = new SeenGeneration() } = options;
  let opened: NftDriver | undefined;
  const driver = (): NftDriver => {
    opened ??= options.driver ?? openNftDriver({ netns });
    return opened;
  };
  /** By table: at which generation all but its elements was found to be as it should. */
  const verified = new Map(podTableIds.map((table) => [tableKey(table), new SeenGeneration(seen)]));
  const transactions: Transactions = { driver, seen };

  function removeOwn(rules: PodRules): void {
    const { own } = podElements(rules);
    transact(transactions, () => ownedSteps(driver(), own));
  }

  return {
    async add(rules) {
      refuseContradiction(rules);
      const { own, shared } = podElements(rules);
      if (own.length === 0) return;
      let looks = false;
      transact(transactions, () => {
        if (looks) return stepsAfterLook(driver(), rules);
        // Most often nothing of it is there: one transaction without a look. If that is refused, the tables are read.
        looks = true;
        return { steps: [...absent(driver(), shared), ...own].map(addStep), mayFail: true };
      });
      const link = localnetLink(rules);
      if (link === undefined || sysctls.isOn(link)) return;
      try {
        sysctls.switch(link, true);
      } catch (error) {
        removeOwn(rules);
        throw error;
      }
    },

    async remove(rules) {
      removeOwn(rules);
    },

    async check(rules) {
      const { own, shared } = podElements(rules);
      if (own.length === 0) return [];
      const link = localnetLink(rules);
      const off = link !== undefined && !sysctls.isOn(link);
      return [
        ...tableFaults(driver(), { own, verified }),
        ...[...own, ...shared].flatMap((one) => elementFaults(driver(), one)),
        ...(off ? [`route_localnet of link "${link}" is off`] : []),
      ];
    },

    async ensure(wanted) {
      const links = new Set(wanted.map(localnetLink).filter((link) => link !== undefined));
      const changes: string[] = [];
      if (options.seen === undefined) seen.looked(driver().generation());
      transact(transactions, () => {
        const { state } = driver().read(podTableIds);
        const steps = planNft(podTables(holdersFirst(wanted, state)), state);
        // Off before the guard goes.
        const unwanted = localnetIn(state).filter((link) => !links.has(link));
        changes.push(...switchAll(sysctls, { links: unwanted, on: false }));
        return { steps, done: () => changes.push(...steps.map(stepWords)) };
      });
      return [...changes, ...switchAll(sysctls, { links, on: true })];
    },

    changed: () => seen.differs(() => driver().generation()),

    close() {
      if (options.driver === undefined) opened?.close();
      opened = undefined;
    },
  };
}

interface Transactions {
  readonly driver: () => NftDriver;
  readonly seen: SeenGeneration;
}

interface Attempt {
  readonly steps: readonly NftStep[];
  /** Ask for other steps when these are refused. */
  readonly mayFail?: boolean;
  readonly done?: () => void;
}

/** Applies what `next` wants to exactly the ruleset that it saw; asks again when somebody changed that meanwhile. */
function transact({ driver, seen }: Transactions, next: () => Attempt): void {
  for (let i = 0; i < attempts; i++) {
    const generation = driver().generation();
    const { steps, mayFail = false, done } = next();
    if (steps.length === 0) return;
    const result = driver().apply(steps, { generation });
    if (result.kind === 'refused') {
      if (mayFail || result.faults.some(({ error }) => isStaleGeneration(error))) continue;
      generationAfter(result);
      return;
    }
    seen.made(generation, result.generation);
    done?.();
    return;
  }
  throw new Error(
    `Cannot change table "${tableKey(podTable)}": the ruleset changed during each of ${attempts} attempts`,
  );
}

function addStep({ table, set, element }: PlacedElement): NftStep {
  return { kind: 'element-add', table, set, element };
}

function absent(driver: NftDriver, placed: readonly PlacedElement[]): readonly PlacedElement[] {
  return placed.filter(({ table, set, element }) => driver.find(table, set, [element])[0] === undefined);
}

/** From what is there to what is there and the pod: also makes what is missing of the tables. */
function stepsAfterLook(driver: NftDriver, rules: PodRules): Attempt {
  const { state } = driver.read(podTableIds);
  const elements = podElements(rules);
  refuseTaken(elements.own, state);
  return { steps: planNft(withPod(state, elements), state) };
}

function refuseTaken(own: readonly PlacedElement[], state: NftState): void {
  const there = new Map(
    [...state.values()].flatMap((table) =>
      [...table.sets.values()].flatMap((set) =>
        [...set.elements.values()].map((element) => [placeKey({ table, set, element }), element] as const),
      ),
    ),
  );
  for (const one of own) {
    const held = there.get(placeKey(one));
    if (one.port !== undefined && held !== undefined && held.comment !== one.element.comment)
      throw new PortTakenError(one.port, held.comment);
  }
}

/** What of it is there and still the attachment's. */
function ownedSteps(driver: NftDriver, own: readonly PlacedElement[]): Attempt {
  const steps: NftStep[] = [];
  for (const { table, set, element } of own) {
    const [found] = driver.find(table, set, [element]);
    if (found?.comment === element.comment) steps.push({ kind: 'element-delete', table, set, element });
  }
  return { steps };
}

/** Those that have ports go first: another that wants one of them was refused, and must not get it now. */
function holdersFirst(wanted: readonly PodRules[], state: NftState): readonly PodRules[] {
  const sets = state.get(tableKey(podTable))?.sets;
  const holders = new Set<string | undefined>();
  for (const { ports, addressPorts } of Object.values(familySets)) {
    for (const { name } of [ports, addressPorts])
      for (const { comment } of sets?.get(name)?.elements.values() ?? []) holders.add(comment);
  }
  const rank = (rules: PodRules) => (holders.has(attachmentFileName(rules.attachment)) ? 0 : 1);
  return wanted.toSorted((a, b) => rank(a) - rank(b));
}

function localnetIn(state: NftState): readonly string[] {
  const elements = state.get(tableKey(podTable))?.sets.get(localnet.name)?.elements.values() ?? [];
  return [...elements].flatMap(({ key }) => (key === 'default' ? [] : key.map(String)));
}

/**
 * Compares all but the elements of others, so that a look costs the same however many pods there are; and only when somebody
 * else changed the ruleset since a look that found nothing: CRI-O asks after every ADD.
 */
function tableFaults(
  driver: NftDriver,
  { own, verified }: { readonly own: readonly PlacedElement[]; readonly verified: VerifiedTables },
): readonly string[] {
  const now = driver.generation();
  const wanted = [emptyPodTable, emptyFrameTable].filter(
    (empty) =>
      own.some(({ table }) => tableKey(table) === tableKey(empty)) &&
      verified.get(tableKey(empty))?.isCurrent(now) !== true,
  );
  if (wanted.length === 0) return [];
  const { state, generation } = driver.read(wanted, { elements: false });
  return wanted.flatMap((empty) => {
    const faults = tableFault(empty, state);
    if (faults.length === 0) verified.get(tableKey(empty))?.looked(generation);
    return faults;
  });
}

type VerifiedTables = ReadonlyMap<string, SeenGeneration>;

function tableFault(wanted: Table, state: NftState): readonly string[] {
  const key = tableKey(wanted);
  const there = state.get(key);
  if (there === undefined) return [`table "${key}" is missing`];
  const steps = planNft(new Map([[key, wanted]]), new Map([[key, there]]));
  return steps.map((step) => `table "${key}" was changed: want ${stepWords(step)}`);
}

function elementFaults(driver: NftDriver, { table, set, element }: PlacedElement): readonly string[] {
  const [found] = driver.find(table, set, [element]);
  // Of a set of intervals any that covers it will do.
  if (found !== undefined && set.flags.includes('interval')) return [];
  const [want, has] = [element, found].map((one) => one && elementText(set, one));
  if (want === has) return [];
  const where = `"${set.name}" of table "${tableKey(table)}"`;
  return [has === undefined ? `${where} lacks ${want}` : `${where} has ${has}, want ${want}`];
}

function stepWords(step: NftStep): string {
  return `${stepOperation(step)} ${stepObject(step)}`;
}
