/**
 * The tables of the savepoint application, which may share a database with this service: as its own migrations (Prisma)
 * leave them at each date, from facts about that application.
 */

export interface SavepointDate {
  /** The last day on which the tables were like this. */
  until: string;
  /** What its migration tool runs to get here from the date before. */
  migration: readonly string[];
  /** Statuses of new library items: never played, played long ago, played in the last days. */
  statuses: { unplayed: string; played: string; recent: string };
  /** A status that only a person gives. */
  byHand: string;
  hasMatchStatus: boolean;
  hasPlaytimes: boolean;
}

const timestamps = `"createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updatedAt" TIMESTAMP(3) NOT NULL`;

function labelTable(name: "Genre" | "Platform", more = ""): string[] {
  const field = `${name.toLowerCase()}Id`;
  return [
    `CREATE TABLE "${name}" ("id" TEXT NOT NULL, "igdbId" INTEGER NOT NULL, "name" TEXT NOT NULL, "slug" TEXT NOT NULL, "checksum" TEXT,
      ${more} ${timestamps}, CONSTRAINT "${name}_pkey" PRIMARY KEY ("id"))`,
    ...["igdbId", "name", "slug"].map(
      (column) => `CREATE UNIQUE INDEX "${name}_${column}_key" ON "${name}"("${column}")`,
    ),
    `CREATE TABLE "Game${name}" ("gameId" TEXT NOT NULL, "${field}" TEXT NOT NULL,
      CONSTRAINT "Game${name}_pkey" PRIMARY KEY ("gameId", "${field}"))`,
    ...[
      ["gameId", "Game"],
      [field, name],
    ].map(
      ([
        column,
        target,
      ]) => `ALTER TABLE "Game${name}" ADD CONSTRAINT "Game${name}_${column}_fkey" FOREIGN KEY ("${column}")
        REFERENCES "${target}"("id") ON DELETE CASCADE ON UPDATE CASCADE`,
    ),
  ];
}

const firstTables = [
  `CREATE TYPE "Storefront" AS ENUM ('STEAM', 'PLAYSTATION', 'XBOX')`,
  `CREATE TYPE "LibraryItemStatus" AS ENUM ('CURIOUS_ABOUT', 'CURRENTLY_EXPLORING', 'TOOK_A_BREAK', 'EXPERIENCED', 'WISHLIST', 'REVISITING')`,
  `CREATE TYPE "AcquisitionType" AS ENUM ('PHYSICAL', 'DIGITAL', 'SUBSCRIPTION')`,
  `CREATE TABLE "User" ("id" TEXT NOT NULL, "email" TEXT, CONSTRAINT "User_pkey" PRIMARY KEY ("id"))`,
  `CREATE TABLE "Game" ("id" TEXT NOT NULL, "igdbId" INTEGER NOT NULL, "hltbId" INTEGER, "title" TEXT NOT NULL, "description" TEXT,
    "coverImage" TEXT, "releaseDate" TIMESTAMP(3), "mainStory" INTEGER, "mainExtra" INTEGER, "completionist" INTEGER, ${timestamps},
    "steamAppId" INTEGER, "slug" TEXT NOT NULL, "franchiseId" INTEGER, CONSTRAINT "Game_pkey" PRIMARY KEY ("id"))`,
  `CREATE UNIQUE INDEX "Game_igdbId_key" ON "Game"("igdbId")`,
  `CREATE UNIQUE INDEX "Game_hltbId_key" ON "Game"("hltbId")`,
  `CREATE UNIQUE INDEX "Game_slug_key" ON "Game"("slug")`,
  `CREATE TABLE "ImportedGame" ("id" TEXT NOT NULL, "name" TEXT NOT NULL, "storefront" "Storefront" NOT NULL, "storefrontGameId" TEXT,
    "playtime" INTEGER DEFAULT 0, "lastPlayedAt" TIMESTAMP(3), "img_icon_url" TEXT, "img_logo_url" TEXT, ${timestamps},
    "deletedAt" TIMESTAMP(3), "userId" TEXT NOT NULL, CONSTRAINT "ImportedGame_pkey" PRIMARY KEY ("id"))`,
  `CREATE INDEX "ImportedGame_userId_deletedAt_idx" ON "ImportedGame"("userId", "deletedAt")`,
  `CREATE TABLE "LibraryItem" ("id" SERIAL NOT NULL, "status" "LibraryItemStatus" NOT NULL DEFAULT 'CURIOUS_ABOUT', ${timestamps},
    "platform" TEXT, "userId" TEXT NOT NULL, "acquisitionType" "AcquisitionType" NOT NULL DEFAULT 'DIGITAL', "gameId" TEXT NOT NULL,
    "startedAt" TIMESTAMP(3), "completedAt" TIMESTAMP(3), CONSTRAINT "LibraryItem_pkey" PRIMARY KEY ("id"))`,
  ...["ImportedGame", "LibraryItem"].map(
    (name) => `ALTER TABLE "${name}" ADD CONSTRAINT "${name}_userId_fkey" FOREIGN KEY ("userId")
      REFERENCES "User"("id") ON DELETE CASCADE ON UPDATE CASCADE`,
  ),
  `ALTER TABLE "LibraryItem" ADD CONSTRAINT "LibraryItem_gameId_fkey" FOREIGN KEY ("gameId")
    REFERENCES "Game"("id") ON DELETE CASCADE ON UPDATE CASCADE`,
  ...labelTable("Genre"),
  ...labelTable(
    "Platform",
    `"abbreviation" TEXT, "alternativeName" TEXT, "generation" INTEGER, "platformFamily" INTEGER, "platformType" INTEGER,`,
  ),
];

/** Replaces the labels, as Prisma writes it. */
function replaceStatuses(labels: readonly string[], renamed: Record<string, string>, standard: string): string[] {
  const cases = Object.entries(renamed).map(([from, to]) => `WHEN '${from}' THEN '${to}'`);
  return [
    `CREATE TYPE "LibraryItemStatus_new" AS ENUM (${labels.map((label) => `'${label}'`).join(", ")})`,
    `ALTER TABLE "LibraryItem" ALTER COLUMN "status" DROP DEFAULT`,
    `ALTER TABLE "LibraryItem" ALTER COLUMN "status" TYPE "LibraryItemStatus_new"
      USING ((CASE "status"::text ${cases.join(" ")} ELSE "status"::text END)::"LibraryItemStatus_new")`,
    `ALTER TYPE "LibraryItemStatus" RENAME TO "LibraryItemStatus_old"`,
    `ALTER TYPE "LibraryItemStatus_new" RENAME TO "LibraryItemStatus"`,
    `DROP TYPE "LibraryItemStatus_old"`,
    `ALTER TABLE "LibraryItem" ALTER COLUMN "status" SET DEFAULT '${standard}'`,
  ];
}

const first = { unplayed: "CURIOUS_ABOUT", played: "EXPERIENCED", recent: "EXPERIENCED" };
const second = { unplayed: "OWNED", played: "OWNED", recent: "PLAYING" };
const today = { unplayed: "SHELF", played: "SHELF", recent: "PLAYING" };

/** Oldest first. */
export const savepointDates: readonly SavepointDate[] = [
  {
    until: "2025-12-04",
    migration: firstTables,
    statuses: first,
    byHand: "TOOK_A_BREAK",
    hasMatchStatus: false,
    hasPlaytimes: false,
  },
  {
    until: "2025-12-24",
    migration: [
      `CREATE TYPE "IgdbMatchStatus" AS ENUM ('PENDING', 'MATCHED', 'UNMATCHED', 'IGNORED')`,
      `ALTER TABLE "ImportedGame" ADD COLUMN "igdbMatchStatus" "IgdbMatchStatus" NOT NULL DEFAULT 'PENDING'`,
    ],
    statuses: first,
    byHand: "TOOK_A_BREAK",
    hasMatchStatus: true,
    hasPlaytimes: false,
  },
  {
    until: "2026-01-18",
    migration: replaceStatuses(
      ["WANT_TO_PLAY", "OWNED", "PLAYING", "PLAYED"],
      {
        CURIOUS_ABOUT: "WANT_TO_PLAY",
        CURRENTLY_EXPLORING: "PLAYING",
        TOOK_A_BREAK: "PLAYED",
        EXPERIENCED: "PLAYED",
        WISHLIST: "WANT_TO_PLAY",
        REVISITING: "PLAYING",
      },
      "WANT_TO_PLAY",
    ),
    statuses: second,
    byHand: "PLAYED",
    hasMatchStatus: true,
    hasPlaytimes: false,
  },
  {
    until: "2026-03-24",
    migration: [
      `ALTER TABLE "ImportedGame" ADD COLUMN "playtimeLinux" INTEGER DEFAULT 0,
        ADD COLUMN "playtimeMac" INTEGER DEFAULT 0, ADD COLUMN "playtimeWindows" INTEGER DEFAULT 0`,
    ],
    statuses: second,
    byHand: "PLAYED",
    hasMatchStatus: true,
    hasPlaytimes: true,
  },
  {
    until: "between the two steps of 2026-03-24",
    migration: ["WISHLIST", "SHELF", "UP_NEXT"].map((label) => `ALTER TYPE "LibraryItemStatus" ADD VALUE '${label}'`),
    statuses: today,
    byHand: "WANT_TO_PLAY",
    hasMatchStatus: true,
    hasPlaytimes: true,
  },
  {
    until: "today",
    migration: replaceStatuses(
      ["WISHLIST", "SHELF", "UP_NEXT", "PLAYING", "PLAYED"],
      { WANT_TO_PLAY: "WISHLIST", OWNED: "SHELF" },
      "SHELF",
    ),
    statuses: today,
    byHand: "UP_NEXT",
    hasMatchStatus: true,
    hasPlaytimes: true,
  },
];
