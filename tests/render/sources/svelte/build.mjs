import { readFileSync, writeFileSync } from 'node:fs';
import { buildSync } from 'esbuild';
import { compile } from 'svelte/compiler';

const { js } = compile(readFileSync('Page.svelte', 'utf8'), { generate: 'client' });
writeFileSync('Page.js', js.code);
buildSync({
  stdin: {
    contents: `import { mount } from 'svelte'; import Page from './Page.js';
      mount(Page, { target: document.getElementById('root') })`,
    resolveDir: '.',
  },
  bundle: true,
  minify: true,
  conditions: ['browser', 'production'],
  outfile: 'out/svelte.js',
});
