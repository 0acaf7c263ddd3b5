import { createClient } from "@supabase/supabase-js";
import { Suspense, use, useMemo, useState } from "react";
import type { Database } from "./database.types.ts";

/**
 * The newest games with a tag that Valve verified for the Steam Deck, read from Supabase by the browser.
 *
 *     npm create vite@latest steam-list -- --template react-ts && cd steam-list
 *     npm install @supabase/supabase-js
 *     cp …/steam-pics-sync/examples/react-list/App.tsx …/steam-pics-sync/supabase/database.types.ts src/
 *     printf 'VITE_SUPABASE_URL=%s\nVITE_SUPABASE_ANON_KEY=%s\n' https://PROJECT.supabase.co KEY > .env.local
 *     npm run dev
 */
const supabase = createClient<Database>(import.meta.env.VITE_SUPABASE_URL, import.meta.env.VITE_SUPABASE_ANON_KEY);
const art = "https://shared.akamai.steamstatic.com/store_item_assets/steam/apps";

async function newestVerified(tagName: string) {
  const tag = await supabase.from("steam_tags").select("tag_id").eq("name", tagName).maybeSingle().throwOnError();
  if (!tag.data) return [];
  const { data } = await supabase
    .from("apps")
    .select(
      `appid, name, steam_release_date, pics_review_percentage, header:assets->header->>english,
       app_steam_deck!inner(category), app_developers(developers(name)), app_steam_tags(rank, steam_tags(name))`,
    )
    .eq("type", "game")
    .eq("is_active", true)
    // By an index, unlike app_steam_tags!inner(…), which would look at each app.
    .contains("labels", [tag.data.tag_id])
    .eq("app_steam_deck.category", "verified")
    .order("rank", { referencedTable: "app_steam_tags" })
    .limit(3, { referencedTable: "app_steam_tags" })
    .order("steam_release_date", { ascending: false, nullsFirst: false })
    .limit(50)
    .throwOnError();
  return data;
}

function Games({ loading }: { loading: ReturnType<typeof newestVerified> }) {
  const games = use(loading);
  if (games.length === 0) return <p>No game has this tag.</p>;
  return (
    <ul>
      {games.map((game) => (
        <li key={game.appid}>
          {game.header && <img src={`${art}/${game.appid}/${game.header}`} alt="" width={230} loading="lazy" />}
          <a href={`https://store.steampowered.com/app/${game.appid}`}>{game.name}</a>{" "}
          <small>
            {[
              game.steam_release_date?.slice(0, 10),
              game.pics_review_percentage && `${game.pics_review_percentage} % positive`,
              game.app_developers.map(({ developers }) => developers.name).join(", "),
              game.app_steam_tags.map(({ steam_tags }) => steam_tags.name).join(", "),
            ]
              .filter(Boolean)
              .join(" · ")}
          </small>
        </li>
      ))}
    </ul>
  );
}

export function App({ initialTag = "Metroidvania" }: { initialTag?: string }) {
  const [tag, setTag] = useState(initialTag);
  const loading = useMemo(() => newestVerified(tag), [tag]);
  return (
    <main>
      <form action={(form) => setTag(String(form.get("tag")))}>
        <input name="tag" aria-label="Tag" defaultValue={tag} />
      </form>
      <Suspense key={tag} fallback={<p>Loading …</p>}>
        <Games loading={loading} />
      </Suspense>
    </main>
  );
}

// biome-ignore lint/style/noDefaultExport: the main.tsx of create-vite imports it
export default App;
