// Which addresses of services should be bound on kube-ipvs0, by the ports that want them, and the steps there.
import type { RouteAccess } from '../../kernel/route/driver.ts';
import { addressKey, type InterfaceAddress } from '../../kernel/route/objects.ts';
import type { RouteStep, StepResult } from '../../kernel/route/step.ts';
import type { Family, IpAddress } from '../../net/address.ts';
import type { LinkWatch } from './link-watch.ts';
import { isServiceAddress, serviceAddress, serviceLink, serviceLinkName } from './service-link.ts';
import { inSlices, type SliceOptions } from './slices.ts';

const stepsAtOnce = 500;

export type LinkAccess = Pick<RouteAccess, 'link' | 'addressesOn' | 'apply'>;

export interface AddressKeeperOptions {
  readonly route: LinkAccess;
  readonly family: Family;
  readonly watch?: LinkWatch | undefined;
}

export interface AddressFailure {
  /** The address as text. */
  readonly address: string;
  readonly error: Error;
}

export interface AddressesDone {
  readonly changes: number;
  readonly failures: readonly AddressFailure[];
  /** That were taken away, or were gone. */
  readonly unbound: readonly IpAddress[];
}

export class AddressKeeper {
  readonly #options: AddressKeeperOptions;
  /** On the link, by the key of kernel/route/. */
  #known = new Map<string, InterfaceAddress>();
  #hasLink = false;
  readonly #wanted = new Map<string, { readonly address: IpAddress; ports: number }>();
  readonly #byPort = new Map<string, readonly IpAddress[]>();

  constructor(options: AddressKeeperOptions) {
    this.#options = options;
  }

  /** Throws when a link of another kind has the name. */
  read(): void {
    const { route, family, watch } = this.#options;
    watch?.forget();
    const link = route.link(serviceLinkName);
    if (link !== undefined && link.detail.kind !== 'dummy')
      throw new Error(
        `Cannot use link "${serviceLinkName}" for the addresses of services: it is of another kind than dummy`,
      );
    this.#hasLink = link !== undefined;
    const found = link === undefined ? [] : route.addressesOn(serviceLinkName);
    this.#known = new Map(
      found.filter((one) => isServiceAddress(one, family)).map((one) => [addressKey(one), one]),
    );
  }

  /** What a port wants from now on. Returns the addresses that this may concern. */
  claim(port: string, addresses: readonly IpAddress[] | undefined): readonly IpAddress[] {
    const before = this.#byPort.get(port) ?? [];
    const after = addresses ?? [];
    for (const address of after) {
      const found = this.#wanted.get(address.toString());
      if (found === undefined) this.#wanted.set(address.toString(), { address, ports: 1 });
      else found.ports += 1;
    }
    for (const address of before) {
      const found = this.#wanted.get(address.toString());
      if (found !== undefined && --found.ports === 0) this.#wanted.delete(address.toString());
    }
    if (after.length === 0) this.#byPort.delete(port);
    else this.#byPort.set(port, after);
    return [...before, ...after];
  }

  /** A port among these that wants the address. */
  ownerOf(address: string, among: Iterable<string>): string | undefined {
    for (const port of among)
      if (this.#byPort.get(port)?.some((one) => one.toString() === address) === true) return port;
    return undefined;
  }

  isWanted(address: IpAddress): boolean {
    return this.#wanted.has(address.toString());
  }

  isBound(address: IpAddress): boolean {
    return this.#known.has(addressKey(serviceAddress(address)));
  }

  /** All that are wanted or bound. */
  all(): readonly IpAddress[] {
    return [
      ...[...this.#wanted.values()].map(({ address }) => address),
      ...[...this.#known.values()].map(({ prefix }) => prefix.address),
    ];
  }

  /** Binds those of these that are wanted. Makes the link. */
  async bind(addresses: Iterable<IpAddress>, options: SliceOptions): Promise<AddressesDone> {
    const steps = new Map<string, RouteStep>();
    for (const address of addresses) {
      const one = serviceAddress(address);
      if (this.isWanted(address) && !this.#known.has(addressKey(one)))
        steps.set(addressKey(one), { kind: 'address-add', address: one });
    }
    const link: readonly RouteStep[] = this.#hasLink ? [] : [{ kind: 'link-add', link: serviceLink }];
    return await this.#apply([...link, ...steps.values()], options);
  }

  /** Takes away those of these that nobody wants, and what has the wrong length. */
  async unbind(
    addresses: Iterable<IpAddress>,
    options: SliceOptions & { readonly held: readonly IpAddress[] },
  ): Promise<AddressesDone> {
    const held = new Set(options.held.map(String));
    const asked = new Set([...addresses].map(String));
    const steps: RouteStep[] = [];
    // Without a walk over all of them, unless all are asked for.
    const candidates =
      asked.size * 4 < this.#known.size
        ? [...addresses].flatMap((address) => this.#known.get(addressKey(serviceAddress(address))) ?? [])
        : [...this.#known.values()];
    for (const one of new Set(candidates)) {
      const { address } = one.prefix;
      if (!asked.has(address.toString())) continue;
      const isRight = addressKey(one) === addressKey(serviceAddress(address));
      if (isRight && (this.isWanted(address) || held.has(address.toString()))) continue;
      steps.push({ kind: 'address-delete', address: one });
    }
    return await this.#apply(steps, options);
  }

  /** Somebody else changed the link or what is on it. */
  changed(): boolean {
    return this.#options.watch?.changed() === true;
  }

  forget(): void {
    this.#wanted.clear();
    this.#byPort.clear();
  }

  async #apply(steps: readonly RouteStep[], options: SliceOptions): Promise<AddressesDone> {
    const { route, watch } = this.#options;
    const failures: AddressFailure[] = [];
    const unbound: IpAddress[] = [];
    let changes = 0;
    const run = (slice: readonly RouteStep[]): readonly StepResult[] => {
      const results = watch === undefined ? route.apply(slice) : watch.own(() => route.apply(slice));
      for (const { step, error } of results) {
        if (error !== undefined) {
          if (step.kind === 'link-add') throw error;
          if (step.kind === 'address-add' || step.kind === 'address-delete')
            failures.push({ address: step.address.prefix.address.toString(), error });
          continue;
        }
        changes += 1;
        if (step.kind === 'link-add') this.#hasLink = true;
        else if (step.kind === 'address-add') this.#known.set(addressKey(step.address), step.address);
        else if (step.kind === 'address-delete') {
          this.#known.delete(addressKey(step.address));
          unbound.push(step.address.prefix.address);
        }
      }
      return results;
    };
    await inSlices(steps, { ...options, size: stepsAtOnce, run });
    return { changes, failures, unbound };
  }
}
