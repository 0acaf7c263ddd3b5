import type { AppView } from "../catalog/views.ts";
import { namesOf, recordOf } from "./comparison.ts";
import { fieldGroups } from "./fields.ts";
import { clean, facts, formatMoment, paint, paragraph, type Terminal } from "./layout.ts";

/** A stored app for people: what it is and how fresh that is, then its fields in groups, those without a value left out. */
export function formatApp(app: AppView, terminal: Terminal, now: number): string {
  const [record, names] = [recordOf(app), namesOf(app)];
  const groups = fieldGroups.flatMap(({ title, fields }) => {
    const shown = fields.filter(({ name }) => name !== "name" && name !== "type");
    const lines = facts(
      shown.map((field) => [field.label, field.words(record, names)]),
      terminal,
    );
    return lines.length === 0 ? [] : ["", paint(terminal, "bold", title), ...lines];
  });
  const lines = [
    ...paragraph(paint(terminal, "bold", titleOf(app)), terminal),
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
  return `${clean(name ?? "") || "An app without a name"} (${appid})${type ? `, ${clean(type)}` : ""}`;
}

/** How fresh a stored app is, in one line. */
export function freshness({ synced_at, change_number, is_pending }: AppView, now: number): string {
  if (synced_at === null) return "Never synced from Steam's app info.";
  const version = change_number === null ? "" : `, change number ${change_number}`;
  const pending = is_pending ? "; Steam has announced something newer" : "; nothing newer is announced";
  return `Synced ${formatMoment(synced_at, now)}${version}${pending}`;
}

function warnings(app: AppView): string[] {
  return [
    ...(app.is_known ? [] : ["Steam does not know this app any more."]),
    ...(app.is_listed === false ? ["Delisted: the store's app list does not hold it any more."] : []),
    ...(app.missing_token ? ["Public part only: Steam holds the rest back from anonymous sessions."] : []),
  ];
}
