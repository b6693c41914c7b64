// What the documentation says must be so: error codes, configuration, links, the compose file, documented commands.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { describeCode, errorLink, miroirCodes } from '../../shared/core/errors.js';
import { loadConfig, variableOf } from '../../shared/io/config.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const pages = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`),
].filter((path) => path.endsWith('.md'));

describe('docs/errors.md', () => {
  const text = read('docs/errors.md');
  const sections = new Map(
    text
      .split(/^## /m)
      .slice(1)
      .map((section) => [section.split('\n')[0]!.trim(), section]),
  );

  test('documents every code of ours, and no other', () => {
    expect([...sections.keys()].sort()).toEqual(miroirCodes().sort());
  });

  test.each(miroirCodes())('%s with its status and type, where its link leads', (code) => {
    const { status, type } = describeCode(code);
    expect(sections.get(code)).toContain(`**${status}, ${type}.**`);
    expect(errorLink(code)).toMatch(new RegExp(`/docs/errors\\.md#${code}$`));
  });
});

describe('docs/configuration.md', () => {
  const rows = [...read('docs/configuration.md').matchAll(/^\| `(\w+)` \| `(\w+)` \| (.*?) \|/gm)];
  const config = loadConfig({ env: {}, cwd: '/nonexistent' }) as unknown as Record<string, unknown>;

  test('lists every key with its variable, and no other', () => {
    const documented = rows.map((row) => row[1]!);
    // Optional keys without a default are not in a loaded configuration.
    expect(documented.filter((key) => key !== 'publicUrl').sort()).toEqual(Object.keys(config).sort());
    for (const [, key, variable] of rows) expect(variable).toBe(variableOf(key!));
  });

  test('names the defaults that the code has', () => {
    for (const [, key, , shown] of rows) {
      const literal = /^`([^`~]+)`$/.exec(shown!)?.[1];
      if (literal !== undefined) expect(String(config[key!]), key).toBe(literal);
    }
  });
});

describe('all pages', () => {
  test.each(pages)('%s links to files that exist', (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map((match) => match[1]!);
    const missing = links.filter((link) => !existsSync(join(ROOT, dirname(page), link)));
    expect(missing).toEqual([]);
  });

  test.each(pages)('%s names files that exist', (page) => {
    const named = [
      ...read(page).matchAll(/`((?:test|shared|proxy|activities|worker|up|ctl)\/[\w./-]+\.ts)`/g),
    ];
    expect(named.map((match) => match[1]!).filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test('name npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = pages.flatMap((page) =>
      [...read(page).matchAll(/npm run ([a-z][\w:-]*)/g)].map((match) => match[1]!),
    );
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

describe('README.md', () => {
  const text = read('README.md');

  test('has its parts in order', () => {
    const parts = ['Five minutes', 'A failure', 'How a move works', 'Not supported yet', 'Limits', 'Links'];
    const places = parts.map((part) => text.indexOf(`\n## ${part}`));
    expect(places.every((place) => place > 0)).toBe(true);
    expect(places).toEqual([...places].sort((a, b) => a - b));
  });

  test('shows a Temporal command whose input is JSON', () => {
    const input = /temporal workflow start[\s\S]*?--input '([^']+)'/.exec(text)?.[1];
    expect(JSON.parse(input ?? '')).toMatchObject({ kind: 'drain', nodes: ['n2'] });
    expect(text).toContain('--type topologyChange --task-queue miroir');
    expect(text).toContain('--workflow-id miroir/topology/main');
  });
});

describe('docker-compose.temporal.yml', () => {
  interface Service {
    image?: string;
    build?: string;
    command?: string[];
    environment?: Record<string, string>;
    volumes?: string[];
    networks?: string[];
    depends_on?: Record<string, { condition: string }>;
    ports?: string[];
    deploy?: { replicas: number };
  }
  const compose = parse(read('docker-compose.temporal.yml'), { merge: true }) as {
    services: Record<string, Service>;
    volumes: Record<string, unknown>;
    networks: Record<string, unknown>;
  };

  test('has Temporal with PostgreSQL and UI, the state store, three Meilisearch nodes, two workers and two proxies', () => {
    const { services } = compose;
    const nodes = Object.values(services).filter(({ image }) =>
      image?.startsWith('getmeili/meilisearch:v1.50'),
    );
    expect(nodes).toHaveLength(3);
    for (const name of ['postgresql', 'store', 'temporal', 'temporal-ui', 'worker', 'proxy'])
      expect(services).toHaveProperty(name);
    for (const name of ['worker', 'proxy']) expect(services[name]?.deploy).toEqual({ replicas: 2 });
    expect(services.worker?.command).toEqual(['worker']);
    expect(services.proxy?.command).toEqual(['proxy']);
  });

  test('refers only to volumes, networks and services that it declares', () => {
    for (const { volumes = [], networks = [], depends_on: needed = {} } of Object.values(compose.services)) {
      for (const volume of volumes) expect(compose.volumes).toHaveProperty(volume.split(':')[0]!);
      for (const network of networks) expect(compose.networks).toHaveProperty(network);
      for (const name of Object.keys(needed)) expect(compose.services).toHaveProperty(name);
    }
  });

  test('sets only variables that Miroir reads, publishes on loopback only, carries no key', () => {
    const known = new Set([
      ...Object.keys(loadConfig({ env: {}, cwd: '/nonexistent' })).map(variableOf),
      'MIROIR_URL',
      'MIROIR_PUBLIC_URL',
      // The state store's password, which PostgreSQL's client reads.
      'PGPASSWORD',
    ]);
    for (const name of ['worker', 'proxy', 'join']) {
      const names = Object.keys(compose.services[name]?.environment ?? {});
      expect(names.filter((variable) => !known.has(variable))).toEqual([]);
    }
    for (const { ports = [], environment = {} } of Object.values(compose.services)) {
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
      for (const [variable, value] of Object.entries(environment)) {
        if (/MASTER_KEY|ADMIN_API_KEY|^PGPASSWORD/.test(variable)) expect(value).toMatch(/^\$\{\w+:\?/);
      }
    }
  });

  test('is built from an image that runs as another user than root', () => {
    const dockerfile = read('Dockerfile');
    expect(dockerfile).toMatch(/^FROM node:20-bookworm-slim$/m);
    expect(dockerfile).toMatch(/^USER node$/m);
    for (const [, folder] of dockerfile.matchAll(/^COPY (\w+) \w+$/gm))
      expect(existsSync(join(ROOT, folder!))).toBe(true);
  });
});
