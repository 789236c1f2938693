// Keeps sysctls as they are wanted, through an access that is handed in. Which ones are wanted is desired-state.ts's.
import { isNotFound } from '../kernel/kernel-error.ts';
import type { Netns } from '../kernel/netns.ts';
import { readSysctl, writeSysctl } from '../kernel/sysctl.ts';

export interface Sysctls {
  /** Undefined when there is no such sysctl. */
  read(key: string): string | undefined;
  write(key: string, value: string): void;
}

/** The kernel's, in a namespace. */
export function openSysctls(netns: Netns | undefined): Sysctls {
  return {
    read(key) {
      try {
        return readSysctl(key, { netns });
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    write: (key, value) => writeSysctl(key, value, { netns }),
  };
}

export interface EnsuredSysctls {
  readonly written: readonly string[];
  readonly failed: ReadonlyMap<string, unknown>;
}

/** The keys whose value is another than wanted. One that is not there has no value to be wrong: its link or IPv6 is missing. */
export function differingSysctls(wanted: ReadonlyMap<string, string>, sysctls: Sysctls): readonly string[] {
  return [...wanted].flatMap(([key, value]) => {
    const actual = sysctls.read(key);
    return actual === undefined || actual === value ? [] : [key];
  });
}

/** Of one link: they come and go with it. */
const ofLink = /^net\/ipv[46]\/(?:conf|neigh)\/(?!all\/|default\/)/;

/** `note` hears of each that outlasts the links, before it is written. */
export function ensureSysctls(
  wanted: ReadonlyMap<string, string>,
  sysctls: Sysctls,
  note: (key: string, values: { readonly before: string; readonly written: string }) => void,
): EnsuredSysctls {
  const written: string[] = [];
  const failed = new Map<string, unknown>();
  for (const key of differingSysctls(wanted, sysctls)) {
    try {
      const value = wanted.get(key) ?? '';
      if (!ofLink.test(key)) note(key, { before: sysctls.read(key) ?? value, written: value });
      sysctls.write(key, value);
      written.push(key);
    } catch (error) {
      failed.set(key, error);
    }
  }
  return { written, failed };
}
