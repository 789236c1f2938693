import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { agentSettings } from '../agent/settings.ts';
import { proxySettings } from '../proxy/settings.ts';
import { resolveSettings } from '../runtime/settings/resolve-settings.ts';
import { nodeSettings, settingsFileText } from './settings-file-text.ts';

const text = settingsFileText();

test('every setting is in it once, and it sets none', () => {
  const names = [...text.matchAll(/^#(\w+): /gm)].map(([, name]) => name);
  expect(names.sort()).toEqual(Object.keys(nodeSettings).sort());
  expect(parse(text)).toBeNull();
});

test.each([
  ['agent', agentSettings, proxySettings],
  ['proxy', proxySettings, agentSettings],
])('with all of its lines in force the settings of the %s are the defaults', (_, table, other) => {
  const values = parse(text.replace(/^#(\w+: )(?!<)/gm, '$1'));
  const file = { path: 'netloom.yaml', values };
  const told = resolveSettings(table, { file, otherNames: Object.keys(other) });
  const silent = resolveSettings(table, {});
  expect(JSON.stringify(told.settings)).toBe(JSON.stringify(silent.settings));
  expect(told.report.filter(({ from }) => from !== 'default').length).toBeGreaterThan(15);
});
