// Sets in memory behind the driver's interface, refusing what the kernel refuses; the fake of iptables asks them about packets. Passes
// the same suite as the kernel.
import type { Family } from '../../net/address.ts';
import { DecodeError } from '../netlink/bytes.ts';
import { isInSet, type SetQuestion } from './ask-set.ts';
import { familyOfSet, NFPROTO_IPV6, NFPROTO_UNSPEC } from './attributes.ts';
import { entryFields, stepFault } from './entry-fault.ts';
import {
  entryText,
  type Ipset,
  type IpsetAccess,
  type IpsetEntry,
  type IpsetHeader,
  type IpsetState,
  type IpsetStep,
  type IpsetType,
  ipsetEntries,
  ipsetTypes,
} from './objects.ts';
import { ipsetErrors, stepRefusal } from './refusal.ts';

const ENOENT = 2;
const EEXIST = 17;
const IPSET_ERR_PROTOCOL = 4097;

/** The kernel's default. */
const defaultMost = 65536;

interface FakeSet {
  readonly header: Omit<IpsetHeader, 'name' | 'references'>;
  readonly entries: Map<string, IpsetEntry>;
}

export interface FakeIpsetOptions {
  /** How many rules ask a set (FakeIptablesKernel.asking): it cannot be destroyed then. None unless given. */
  readonly references?: ((name: string) => number) | undefined;
}

/** Several accesses of one kernel see each other's changes. */
export class FakeIpsetKernel {
  readonly #sets: Map<string, FakeSet>;
  readonly #references: (name: string) => number;
  #applied = 0;

  constructor(options: FakeIpsetOptions = {}, from?: FakeIpsetKernel) {
    this.#references = options.references ?? (() => 0);
    const before = from === undefined ? [] : [...from.#sets];
    this.#sets = new Map(before.map(([name, set]) => [name, { ...set, entries: new Map(set.entries) }]));
  }

  /** Another kernel with the same sets, which change of their own. */
  fork(options: FakeIpsetOptions = {}): FakeIpsetKernel {
    return new FakeIpsetKernel(options, this);
  }

  /** How many steps were asked for until now. */
  get applied(): number {
    return this.#applied;
  }

  /** A stranger's set, in place of what has that name. */
  put({ header, entries }: IpsetState): void {
    const { name, references: _, ...rest } = header;
    this.#sets.set(name, { header: rest, entries: new Map(entries) });
  }

  access(): IpsetAccess {
    return {
      headers: () =>
        [...this.#sets].map(([name, { header }]) => ({
          name,
          ...header,
          references: this.#references(name),
        })),
      entries: (name) => this.#entries(name),
      entrySlices: (name) => {
        const entries = this.#entries(name) ?? [];
        return entries.length === 0 ? [] : [entries];
      },
      apply: (steps) =>
        steps.map((step) => {
          this.#applied += 1;
          return { step, error: stepFault(step) ?? this.#apply(step) };
        }),
      close: () => undefined,
    };
  }

  /** Of which family's packets the set can be asked; undefined when there is none of that name. */
  familyOf(name: string): Family | 'any' | undefined {
    const set = this.#sets.get(name);
    if (set === undefined) return undefined;
    if (set.header.family === NFPROTO_UNSPEC) return 'any';
    return set.header.family === NFPROTO_IPV6 ? 6 : 4;
  }

  /** Whether the set has what the packet has, part by part. */
  has(name: string, question: SetQuestion): boolean {
    const set = this.#sets.get(name);
    const type = typeOf(set);
    if (set === undefined || type === undefined) return false;
    return isInSet({ type, family: set.header.family, entries: set.entries }, question);
  }

  #entries(name: string): readonly IpsetEntry[] | undefined {
    const set = this.#sets.get(name);
    if (set !== undefined && typeOf(set) === undefined)
      throw new DecodeError(`Cannot read the entries of set "${name}": its type is "${set.header.type}"`);
    return set === undefined ? undefined : [...set.entries.values()];
  }

  #apply(step: IpsetStep): Error | undefined {
    const errno = this.#refused(step);
    return errno === undefined
      ? undefined
      : stepRefusal(step, { errno, kernelMessage: undefined, cause: undefined });
  }

  #refused(step: IpsetStep): number | undefined {
    switch (step.kind) {
      case 'set-create':
        return this.#create(step.set);
      case 'set-destroy':
        if (this.#sets.has(step.name) && this.#references(step.name) > 0) return ipsetErrors.busy;
        this.#sets.delete(step.name);
        return undefined;
      case 'set-swap':
        return this.#swap(step.name, step.other);
      case 'entry-add':
        return this.#add(step.set.name, step.entry);
      case 'entry-delete':
        return this.#delete(step.set.name, step.entry);
      default:
        return step satisfies never;
    }
  }

  #create(set: Ipset): number | undefined {
    const { name, type } = set;
    const maxElements = type === 'bitmap:port' ? undefined : (set.maxElements ?? defaultMost);
    const header = { type, family: familyOfSet(set), maxElements, isPlain: true };
    const there = this.#sets.get(name)?.header;
    if (there === undefined) this.#sets.set(name, { header, entries: new Map() });
    else if (
      there.type !== type ||
      there.family !== header.family ||
      there.maxElements !== maxElements ||
      !there.isPlain
    )
      return EEXIST;
    return undefined;
  }

  #swap(name: string, other: string): number | undefined {
    const one = this.#sets.get(name);
    const two = this.#sets.get(other);
    if (one === undefined) return ENOENT;
    if (two === undefined) return ipsetErrors.existName2;
    if (one.header.type !== two.header.type || one.header.family !== two.header.family)
      return ipsetErrors.typeMismatch;
    this.#sets.set(name, two);
    this.#sets.set(other, one);
    return undefined;
  }

  #add(name: string, entry: IpsetEntry): number | undefined {
    const set = this.#sets.get(name);
    if (set === undefined) return ENOENT;
    const stored = storedAs(set, entry);
    if (typeof stored === 'number') return stored;
    const text = entryText(stored);
    if (set.entries.size >= (set.header.maxElements ?? Number.POSITIVE_INFINITY) && !set.entries.has(text))
      return ipsetErrors.full;
    set.entries.set(text, stored);
    return undefined;
  }

  #delete(name: string, entry: IpsetEntry): number | undefined {
    const set = this.#sets.get(name);
    if (set === undefined) return undefined;
    const stored = storedAs(set, entry);
    if (typeof stored === 'number') return stored;
    set.entries.delete(entryText(stored));
    return undefined;
  }
}

function typeOf(set: FakeSet | undefined): IpsetType | undefined {
  return ipsetTypes.find((one) => one === set?.header.type);
}

/** What the set that is there makes of the entry, which may be meant for a set of another kind; or the number of the refusal. */
function storedAs(set: FakeSet, entry: IpsetEntry): IpsetEntry | number {
  const type = typeOf(set);
  if (type === undefined) return IPSET_ERR_PROTOCOL;
  const fields = entryFields[type];
  if (fields.some((field) => entry[field] === undefined)) return IPSET_ERR_PROTOCOL;
  const has = (field: keyof IpsetEntry) => fields.includes(field);
  const { family } = set.header;
  if (has('address') && family !== familyOfSet({ type, family: entry.address?.family ?? 4 }))
    return IPSET_ERR_PROTOCOL;
  const [stored] = ipsetEntries([
    {
      address: has('address') ? entry.address : undefined,
      protocol: has('protocol') ? entry.protocol : undefined,
      port: has('port') ? entry.port : undefined,
      second: has('second') ? entry.second : undefined,
    },
  ]).values();
  return stored ?? IPSET_ERR_PROTOCOL;
}
