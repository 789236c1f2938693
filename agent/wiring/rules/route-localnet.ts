// The sysctl that lets packets for and from 127.0.0.0/8 cross a link. Whoever sets it must have the guard in place: the backends'
// rules drop what comes for 127.0.0.0/8 from elsewhere (CVE-2020-8558).
import { isNotFound } from '../../../kernel/kernel-error.ts';
import type { Netns } from '../../../kernel/netns.ts';
import { readSysctl, writeSysctl } from '../../../kernel/sysctl.ts';

export interface RouteLocalnet {
  /** False also when there is no such link. */
  isOn(link: string): boolean;
  /** Throws KernelError: ENOENT when there is no such link. */
  switch(link: string, on: boolean): void;
}

export function routeLocalnet(netns: Netns | undefined): RouteLocalnet {
  return {
    isOn(link) {
      try {
        return readSysctl(key(link), { netns }) === '1';
      } catch (error) {
        if (isNotFound(error)) return false;
        throw error;
      }
    },
    switch: (link, on) => writeSysctl(key(link), on ? '1' : '0', { netns }),
  };
}

function key(link: string): string {
  return `net/ipv4/conf/${link}/route_localnet`;
}

/** Switches each that is otherwise; returns what was done, in words. Links that are not there are passed over. */
export function switchAll(
  localnet: RouteLocalnet,
  { links, on }: { readonly links: Iterable<string>; readonly on: boolean },
): readonly string[] {
  const done: string[] = [];
  for (const link of links) {
    if (localnet.isOn(link) === on) continue;
    try {
      localnet.switch(link, on);
      done.push(`set ${key(link)} = ${on ? 1 : 0}`);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return done;
}
