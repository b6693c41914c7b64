// Settings: the user's view from the topology, changes as entries of the journal. Hidden parts are never in here.
import type { FastifyInstance } from 'fastify';
import type { SettingsMeta } from '../../shared/core/entries.js';
import { indexNotFound, requireIndexUid } from '../../shared/core/field-errors.js';
import {
  checkSetting,
  checkSettings,
  mergeSettings,
  resetPatch,
  SETTING_ROUTES,
  settingsFailure,
  settingView,
  userView,
} from '../../shared/core/settings.js';
import type { ProxyContext } from '../context.js';
import { requireVisibleIndex } from '../visible-indexes.js';
import { appendDraft } from '../write/append.js';
import { accept } from './indexes.js';

interface UidParams {
  Params: { indexUid: string };
}

export function registerSettingsRoutes(app: FastifyInstance, ctx: ProxyContext): void {
  const read = <T>(uid: string, view: (settings: Readonly<Record<string, unknown>>) => T): T => {
    const hold = ctx.watcher.acquire('search');
    try {
      return view(requireVisibleIndex(hold.topology, uid).settings);
    } finally {
      hold.release();
    }
  };

  app.get<UidParams>('/indexes/:indexUid/settings', async (request) =>
    read(request.params.indexUid, userView),
  );

  app.patch<UidParams>('/indexes/:indexUid/settings', async (request, reply) => {
    const uid = requireIndexUid(request.params.indexUid);
    const patch = checkSettings(request.body);
    return accept(reply, () => appendSettings(ctx, uid, patch, false));
  });

  app.delete<UidParams>('/indexes/:indexUid/settings', async (request, reply) => {
    const uid = requireIndexUid(request.params.indexUid);
    return accept(reply, () => appendSettings(ctx, uid, resetPatch(), true));
  });

  for (const { key, route, method } of SETTING_ROUTES) {
    const url = `/indexes/:indexUid/settings/${route.replace(/^\//, '')}`;

    app.get<UidParams>(url, async (request, reply) => {
      // Some settings are bare texts, numbers, booleans or null: Fastify would not send those as JSON by itself, and
      // would give a text a charset.
      const value = read(request.params.indexUid, (settings) => settingView(settings, key));
      return reply.type('application/json').send(Buffer.from(JSON.stringify(value)));
    });

    app.route<UidParams>({
      method: method as 'PUT' | 'PATCH',
      url,
      handler: async (request, reply) => {
        const uid = requireIndexUid(request.params.indexUid);
        const patch = checkSetting(key, request.body);
        return accept(reply, () => appendSettings(ctx, uid, patch, false));
      },
    });

    app.delete<UidParams>(url, async (request, reply) => {
      const uid = requireIndexUid(request.params.indexUid);
      return accept(reply, () => appendSettings(ctx, uid, { [key]: null }, true));
    });
  }
}

/** A change creates the index that it names; a reset of what does not exist is a failed task, as in Meilisearch. */
function appendSettings(
  ctx: ProxyContext,
  indexUid: string,
  patch: Record<string, unknown>,
  isDeletion: boolean,
) {
  const meta: SettingsMeta = { kind: 'settingsUpdate', patch, isDeletion };
  return appendDraft(ctx, indexUid, (index) => {
    const failure = settingsFailure(mergeSettings(index?.settings ?? {}, patch), indexUid);
    if (index !== undefined) return { meta, failure };
    if (isDeletion) return { meta, failure: indexNotFound(indexUid).toJSON() };
    return { meta, failure, create: { primaryKey: null } };
  });
}
