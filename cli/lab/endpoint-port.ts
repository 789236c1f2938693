// Where every pod, node and "outside" of a lab answers.

/** TCP and UDP; above 1023, so that whoever looks with curl or nc sees a plain port. */
export const endpointPort = 8080;
