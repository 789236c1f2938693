// Where the plugins are on this machine: the reference (containernetworking/plugins), and ours. Tests that need the reference are skipped
// where it is not.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const places = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'];
const needed = ['bridge', 'host-local', 'portmap', 'bandwidth', 'firewall', 'tuning', 'loopback'];

/** The first directory that has all of them. */
export const referenceDirectory: string | undefined = places.find((place) =>
  needed.every((name) => existsSync(join(place, name))),
);

const build = new URL('../../build', import.meta.url).pathname;

/** The directory with netloom-cni: the launcher where it is built, else the script. */
export const ownDirectory: string = existsSync(join(build, 'netloom-cni'))
  ? build
  : new URL('../../scripts', import.meta.url).pathname;
