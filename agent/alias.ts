// The mark on links that Netloom made (IFLA_IFALIAS): by it stale devices are told from a stranger's of the same name.

export const netloomAlias = 'netloom';
