// Places of endpoints in a port's lists. One that stays keeps its place, so that a replaced endpoint is one element changed and not all
// behind it; and in affinity its index, which clients hold. Pure.
import type { Endpoint } from '../service-port.ts';
import { upperLimit } from './token.ts';

/** Equal for endpoints that packets reach alike. */
export function endpointText({ address, port }: Pick<Endpoint, 'address' | 'port'>): string {
  return `${address} ${port}`;
}

/** The endpoints by slot, 0 to N-1. `before`: who had which slot, by text; a slot may be empty. */
export function assignSlots(
  wanted: readonly Endpoint[],
  before: readonly (string | undefined)[],
): readonly Endpoint[] {
  if (before.length === 0 || isSame(wanted, before)) return wanted;
  const left = new Map(wanted.map((endpoint) => [endpointText(endpoint), endpoint]));
  const slots: (Endpoint | undefined)[] = [];
  for (let slot = 0; slot < wanted.length; slot++) {
    const text = before[slot];
    const stays = text === undefined ? undefined : left.get(text);
    slots.push(stays);
    if (text !== undefined) left.delete(text);
  }
  const others = left.values();
  return slots.flatMap((endpoint) => endpoint ?? others.next().value ?? []);
}

function isSame(wanted: readonly Endpoint[], before: readonly (string | undefined)[]): boolean {
  return (
    wanted.length === before.length &&
    wanted.every((endpoint, slot) => endpointText(endpoint) === before[slot])
  );
}

/** Numbers of a port's endpoints in affinity, by endpointText, and where the search for a free one goes on. */
export interface EndpointIndices {
  readonly numbers: ReadonlyMap<string, number>;
  readonly next: number;
}

/** Numbers that are given up come again as late as possible: clients may still hold them. Throws RangeError when there are too few. */
export function assignIndices(
  texts: ReadonlySet<string>,
  before: EndpointIndices = { numbers: new Map(), next: 1 },
): EndpointIndices {
  if (texts.size >= upperLimit)
    throw new RangeError(
      `it has ${texts.size} endpoints, and with session affinity ${upperLimit - 1} are the most`,
    );
  const numbers = new Map<string, number>();
  const used = new Set<number>();
  for (const text of texts) {
    const number = before.numbers.get(text);
    if (number === undefined || used.has(number)) continue;
    numbers.set(text, number);
    used.add(number);
  }
  let next = before.next < upperLimit ? before.next : 1;
  for (const text of texts) {
    if (numbers.has(text)) continue;
    while (used.has(next)) next = following(next);
    numbers.set(text, next);
    used.add(next);
    next = following(next);
  }
  return { numbers, next };
}

function following(index: number): number {
  return index + 1 >= upperLimit ? 1 : index + 1;
}
