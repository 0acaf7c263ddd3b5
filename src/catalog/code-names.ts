import type { AiContent, DeckCategory, SteamosCategory, VrSupport } from "./app-record.ts";

/** Steam's codes in words. Where the words are those of a column, docs/data.md has them, too (`npm run docs`). */

/** Valve's warnings about content. */
export const contentDescriptors = new Map([
  [1, "some nudity or sexual content"],
  [2, "frequent violence or gore"],
  [3, "adult only sexual content"],
  [4, "frequent nudity or sexual content"],
  [5, "general mature content"],
]);
/** Verdicts of reviews; 0 is none. */
export const reviewScores = new Map([
  [1, "overwhelmingly negative"],
  [2, "very negative"],
  [3, "negative"],
  [4, "mostly negative"],
  [5, "mixed"],
  [6, "mostly positive"],
  [7, "positive"],
  [8, "very positive"],
  [9, "overwhelmingly positive"],
]);

/** Kinds of apps (`apps.type`) that were seen; Steam adds kinds. A playtest is `beta`. */
export const appTypes = new Map([
  ["game", "game"],
  ["dlc", "downloadable content of a game"],
  ["demo", "demo"],
  ["beta", "playtest"],
  ["application", "software"],
  ["tool", "tool, such as a dedicated server or an editor"],
  ["music", "soundtrack"],
  ["video", "video"],
  ["series", "series of videos"],
  ["config", "content or settings that belong to the Steam client or to another app"],
  ["hardware", "device"],
]);
/** States of release. Source: EAppReleaseState of Steamworks (partner.steamgames.com/doc/api/steam_api); `disabled` was seen in app info. */
export const releaseStates = new Map([
  ["released", "owners can download and play it"],
  ["prerelease", "visible in the store and in the library, and no more"],
  ["preloadonly", "owners can download it ahead, but not play it yet"],
  ["unavailable", "owners cannot see it"],
  ["disabled", "not documented by Steam"],
]);
/** Verdicts of Valve's review for Steam Deck, Steam Machine and Steam Frame. */
export const deckVerdicts: Record<DeckCategory, string> = {
  unknown: "not reviewed, or a verdict that is not known here",
  unsupported: "does not run, or not well enough",
  playable: "runs, but the player may have to do something for it",
  verified: "runs well without that",
};
export const steamosVerdicts: Record<SteamosCategory, string> = {
  unknown: "not reviewed, or a verdict that is not known here",
  unsupported: "does not run, or not well enough",
  compatible: "runs",
};
export const aiContentWords: Record<AiContent, string> = {
  pre_generated: "made before release, and shipped with the app",
  live: "made while the app runs",
};
export const vrSupportWords: Record<VrSupport, string> = {
  supported: "can be played in virtual reality",
  only: "needs virtual reality",
};
/**
 * How a result of a Deck test is shown (`display`); 0 is not at all. Source: ESteamDeckCompatibilityResultDisplayType of the Steam client. In
 * real data, 2 stands on apps of the verdict unsupported alone, and 4 is the best of the others.
 */
export const deckTestResults = new Map([
  [1, "informational"],
  [2, "unsupported"],
  [3, "playable"],
  [4, "verified"],
]);
/** The same of the tests on SteamOS. Source: ESteamOSCompatibilityResultDisplayType of the Steam client. */
export const steamosTestResults = new Map([
  [1, "informational"],
  [2, "unsupported"],
  [3, "compatible"],
]);
/**
 * Valve's tests by the end of their token (`#SteamDeckVerified_TestResult_…`, `#SteamOS_TestResult_…`), as far as they were seen. The words
 * are ours.
 */
export const deckTests = new Map([
  ["AuxFunctionalityNotAccessible_MapEditor", "the map editor cannot be used"],
  ["ControllerGlyphsDoNotMatchDeckDevice", "shows icons of buttons that the Deck does not have"],
  ["ControllerGlyphsMatchDeckDevice", "shows the icons of the Deck's buttons"],
  ["CrossPlatformCloudSavesNotSupported", "saves are not shared with other platforms"],
  ["DefaultConfigurationIsNotPerformant", "runs well only with other graphics settings than its default"],
  ["DefaultConfigurationIsPerformant", "runs well with its default graphics settings"],
  ["DefaultControllerConfigFullyFunctional", "all functions work with the default controller configuration"],
  ["DefaultControllerConfigNotFullyFunctional", "some functions do not work with the default controller configuration"],
  ["DeviceCompatibilityWarningsShown", "shows warnings about the device, but runs"],
  ["DisplayOutputHasNonblockingIssues", "has faults in the display that do not prevent playing"],
  ["ExternalControllersNotSupportedLocalMultiplayer", "external controllers do not work for local multiplayer"],
  ["ExternalControllersNotSupportedPrimaryPlayer", "external controllers do not work for the first player by default"],
  ["FirstTimeSetupRequiresActiveInternetConnection", "the first start needs an internet connection"],
  ["GameStartupFunctional", "starts and runs"],
  ["GamepadNotEnabledByDefault", "controllers have to be enabled in its settings"],
  ["InterfaceTextIsLegible", "text is legible"],
  ["InterfaceTextIsNotLegible", "some text is small and may be hard to read"],
  ["LauncherInteractionIssues", "its launcher may need the touchscreen or the on-screen keyboard"],
  ["MultiWindowAppAutomaticallySetsFocus", "has several windows and sets the focus by itself"],
  ["NativeResolutionNotDefault", "supports the Deck's resolution, but not by default"],
  ["NativeResolutionNotSupported", "does not support the Deck's resolution"],
  ["NotFullyFunctionalWithoutExternalKeyboard", "some functions need an external keyboard"],
  ["SingleplayerGameplayRequiresActiveInternetConnection", "playing alone needs an internet connection"],
  ["SteamOSDoesNotSupport", "SteamOS does not support it"],
  ["SteamOSDoesNotSupport_Retired", "SteamOS does not support it: it is retired"],
  ["SteamOSDoesNotSupport_Software", "SteamOS does not support it: it is software"],
  ["SteamOSDoesNotSupport_VR", "SteamOS does not support it: it needs virtual reality"],
  ["TextInputDoesNotAutomaticallyInvokesKeyboard", "fields for text do not open the on-screen keyboard by themselves"],
  ["UnsupportedAntiCheatConfiguration", "its anti-cheat is not configured for SteamOS"],
  ["UnsupportedAntiCheat_Other", "its anti-cheat does not support SteamOS"],
  ["UnsupportedGraphicsPerformance", "does not run well enough"],
]);

/** Steam's names of languages that are no English words; the others are (`german`). */
export const languageNames = new Map([
  ["brazilian", "Portuguese (Brazil)"],
  ["koreana", "Korean"],
  ["latam", "Spanish (Latin America)"],
  ["schinese", "Chinese (simplified)"],
  ["tchinese", "Chinese (traditional)"],
  ["sc_schinese", "Chinese (simplified, China)"],
]);

/** `1 informational, 2 unsupported, …`, for descriptions. */
export function codesInWords(words: ReadonlyMap<number, string>): string {
  return [...words].map(([code, word]) => `${code} ${word}`).join(", ");
}
