import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { settingsPage } from './settings-page.ts';

test('docs/settings.md is what the table of settings says (npm run docs writes it)', () => {
  expect(readFileSync(new URL('../docs/settings.md', import.meta.url), 'utf8')).toBe(settingsPage());
});
