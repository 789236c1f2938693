// The transport protocols that have ports, by the names that Kubernetes, CNI and nft give them.

export const transports = ['tcp', 'udp', 'sctp'] as const;
export type Transport = (typeof transports)[number];

/** IPPROTO_* of netinet/in.h. */
export const transportNumber: Readonly<Record<Transport, number>> = { tcp: 6, udp: 17, sctp: 132 };
