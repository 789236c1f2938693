// The versions of the CNI specification that the plugin speaks, and what came with which.

/** Oldest first. */
export const supportedVersions = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type CniVersion = (typeof supportedVersions)[number];

export const newestVersion: CniVersion = '1.1.0';

/** That of a configuration that names none: cniVersion came with 0.2.0. */
export const unnamedVersion: CniVersion = '0.1.0';

export function isSupportedVersion(text: string): text is CniVersion {
  return supportedVersions.some((version) => version === text);
}

/** True when `version` is `other` or younger. */
export function isAtLeast(version: CniVersion, other: CniVersion): boolean {
  return supportedVersions.indexOf(version) >= supportedVersions.indexOf(other);
}

/** The answer to VERSION. As libcni's own plugins do it, whatever version was asked with. */
export function versionAnswer(): string {
  return JSON.stringify({ cniVersion: newestVersion, supportedVersions });
}

/** What a person sees who starts the plugin by hand. */
export function aboutText(): string {
  return `netloom-cni: wires pods to the bridge of a Netloom node; container runtimes start it\nCNI protocol versions supported: ${supportedVersions.join(', ')}\n`;
}
