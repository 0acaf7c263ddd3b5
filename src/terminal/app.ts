import type { AppView } from "../catalog/views.ts";
import type { StoredApp } from "../catalog-source/port.ts";
import { namesOf, recordOf } from "./comparison.ts";
import { fieldGroups } from "./fields.ts";
import { clean, facts, formatMoment, paint, paragraph, styled, type Terminal } from "./layout.ts";

/** Formats a stored app: title, freshness and warnings, then its fields in groups. Fields without a value are omitted. */
export function formatApp(stored: StoredApp, terminal: Terminal, now: number): string {
  const { app } = stored;
  const [record, names] = [recordOf(stored), namesOf(app)];
  const groups = fieldGroups.flatMap(({ title, fields }) => {
    const shown = fields.filter(({ name }) => name !== "name" && name !== "type");
    const lines = facts(
      shown.map((field) => [field.label, field.format(record, names)]),
      terminal,
    );
    return lines.length === 0 ? [] : ["", paint(terminal, "bold", title), ...lines];
  });
  const lines = [
    ...paragraph(styled(terminal, "bold", titleOf(app)), terminal),
    ...paragraph(freshness(app, now), terminal),
    ...warnings(app),
    ...groups,
    "",
    paint(terminal, "bold", "Record"),
    ...facts(
      [
        ["First stored", formatMoment(app.created_at, now)],
        ["Last changed", formatMoment(app.updated_at, now)],
      ],
      terminal,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

/** `Portal 2 (620), game`. */
export function titleOf({ appid, name, type }: { appid: number; name?: string | null; type?: string | null }): string {
  return `${clean(name ?? "") || "Unnamed app"} (${appid})${type ? `, ${clean(type)}` : ""}`;
}

/** Freshness of a stored app, in one line. */
export function freshness({ synced_at, change_number, is_pending }: AppView, now: number): string {
  if (synced_at === null) return "Never synced with Steam.";
  const version = change_number === null ? "" : `, change number ${change_number}`;
  const pending = is_pending ? "; a newer change is pending" : "; up to date";
  return `Synced ${formatMoment(synced_at, now)}${version}${pending}`;
}

function warnings(app: AppView): string[] {
  return [
    ...(app.is_known ? [] : ["Unknown to Steam: it was removed."]),
    ...(app.is_listed === false ? ["Delisted: it is no longer in the store's app list."] : []),
    ...(app.missing_token ? ["Incomplete: Steam shows anonymous sessions only the public part."] : []),
  ];
}
