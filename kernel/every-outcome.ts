// Runs something that asks for random numbers once for every way they can fall, with the probability of each. For fakes that pick
// an endpoint by chance; not a source of random numbers.

/** What a run may ask. Both fit into the surroundings of the fakes of nft and iptables. */
export interface Chance {
  /** A number below `modulus`, all alike. */
  readonly random: (modulus: number) => number;
  /** Whether something of this probability happens. */
  readonly happens: (probability: number) => boolean;
}

export interface Outcome<T> {
  readonly probability: number;
  readonly result: T;
}

const mostOutcomes = 10_000;

/** A question that was asked in a run: the probabilities of its answers, and which one was given. */
interface Choice {
  readonly weights: readonly number[];
  answer: number;
}

/** `run` must ask the same after the same answers. Throws RangeError past ten thousand outcomes. */
export function everyOutcome<T>(run: (chance: Chance) => T): readonly Outcome<T>[] {
  const outcomes: Outcome<T>[] = [];
  const path: Choice[] = [];
  do {
    let asked = 0;
    const choose = (weights: () => readonly number[]): number => {
      const choice = path[asked] ?? { weights: weights(), answer: 0 };
      path[asked++] = choice;
      return choice.answer;
    };
    const result = run({
      random: (modulus) => (modulus === 1 ? 0 : choose(() => evenly(modulus))),
      happens: (probability) =>
        probability >= 1 || (probability > 0 && choose(() => [probability, 1 - probability]) === 0),
    });
    path.length = asked;
    const probability = path.reduce((product, { weights, answer }) => product * (weights[answer] ?? 0), 1);
    outcomes.push({ probability, result });
    if (outcomes.length > mostOutcomes)
      throw new RangeError(`Cannot take every way: there are more than ${mostOutcomes}`);
  } while (turnLast(path));
  return outcomes;
}

function evenly(modulus: number): readonly number[] {
  if (!Number.isInteger(modulus) || modulus < 1 || modulus > mostOutcomes)
    throw new RangeError(`Cannot take every way: a random number below ${modulus} has too many`);
  return new Array<number>(modulus).fill(1 / modulus);
}

/** The next path: the last choice that has another answer gives it. False when there is none. */
function turnLast(path: Choice[]): boolean {
  for (let last = path.pop(); last !== undefined; last = path.pop()) {
    if (last.answer + 1 >= last.weights.length) continue;
    path.push({ ...last, answer: last.answer + 1 });
    return true;
  }
  return false;
}
