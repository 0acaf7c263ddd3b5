import { describe, expect, it } from "vitest";
import { assetUrls } from "../../../src/catalog/assets.ts";
import { common } from "./sample-app.ts";
import { numbered, type Tree } from "./writer.ts";

const sha = "0123456789abcdef0123456789abcdef01234567";

describe("art", () => {
  it("is by kind and language, pictures of twice the size apart", () => {
    const art = {
      header_image: { english: "header.jpg", sc_schinese: "aa/header.jpg", image2x: { english: "header_2x.jpg" } },
      small_capsule: { english: " capsule.jpg " },
      library_assets_full: {
        library_capsule: { image: { english: "bb/lib.jpg" }, image2x: { english: "bb/lib_2x.jpg" } },
        library_hero_blur: { images: { english: "cc/blur.jpg" } },
        library_logo: { image: { english: "logo.png" }, logo_position: { pinned_position: "BottomLeft" } },
        brand_new_kind: { image: { japanese: "x.webp" } },
      },
      library_assets: { library_capsule: "en" },
    };
    expect(common(art).assets).toEqual({
      header: { english: "header.jpg", sc_schinese: "aa/header.jpg" },
      header_2x: { english: "header_2x.jpg" },
      small_capsule: { english: "capsule.jpg" },
      library_capsule: { english: "bb/lib.jpg" },
      library_capsule_2x: { english: "bb/lib_2x.jpg" },
      library_hero_blur: { english: "cc/blur.jpg" },
      library_logo: { english: "logo.png" },
      brand_new_kind: { japanese: "x.webp" },
    });
  });

  it.each([
    "../x.jpg",
    "a/../x.jpg",
    "a/./x.jpg",
    "/x.jpg",
    "a//x.jpg",
    "a/",
    "http://evil.example/x.jpg",
    "javascript:x",
    "//evil.example/x.jpg",
    "a\\x.jpg",
    "a\u0007.jpg",
    "a\u0085.jpg",
    "a\n.jpg",
    "..",
    "",
  ])("leaves out the path %j", (path) => {
    expect(common({ header_image: { english: path } }).assets).toBeNull();
    expect(common({ header_image: { english: path, french: "ok.jpg" } }).assets).toEqual({
      header: { french: "ok.jpg" },
    });
  });

  it("leaves out keys that are no language or kind, and values of another type", () => {
    const image = { english: "x.jpg" };
    expect(common({ header_image: { "german;": "x.jpg", English: "x.jpg", french: { x: "1" } } }).assets).toBeNull();
    expect(
      common({ header_image: "header.jpg", library_assets_full: { "a b": { image }, c: image } }).assets,
    ).toBeNull();
    expect(common({ header_image: {}, library_assets_full: { c: { image: {} } } }).assets).toBeNull();
  });

  it("names icons by the file that their hash is the name of", () => {
    const hashes = { icon: sha, logo: sha, logo_small: `${sha}_thumb`, clienticon: sha, clienticns: sha };
    expect(common({ ...hashes, clienttga: sha, linuxclienticon: sha }).assets).toEqual({
      icons: {
        icon: `${sha}.jpg`,
        logo: `${sha}.jpg`,
        logo_small: `${sha}_thumb.jpg`,
        clienticon: `${sha}.ico`,
        clienticns: `${sha}.icns`,
        clienttga: `${sha}.tga`,
        linuxclienticon: `${sha}.zip`,
      },
    });
  });

  it.each(["", "x", `${sha}0`, "../../x", `${sha.slice(1)}g`, "steam/games/icon_tf"])(
    "leaves out the icon %j",
    (icon) => {
      expect(common({ icon }).assets).toBeNull();
    },
  );

  it("keeps the icons when Steam names a kind like them", () => {
    const library_assets_full = { icons: { image: { english: "x.jpg" } } };
    expect(common({ icon: sha, library_assets_full }).assets).toEqual({ icons: { icon: `${sha}.jpg` } });
  });

  it("is plain data for any language", () => {
    const header_image: Tree = [["__proto__", "x.jpg"]];
    expect(JSON.stringify(common({ header_image }).assets)).toBe('{"header":{"__proto__":"x.jpg"}}');
    expect(common({ library_assets_full: { __proto: numbered("1") } }).assets).toBeNull();
  });
});

describe("assetUrls", () => {
  it("makes addresses of paths, icons below another base", () => {
    const store = "https://shared.akamai.steamstatic.com/store_item_assets/steam/apps/620";
    const icons = "https://cdn.akamai.steamstatic.com/steamcommunity/public/images/apps/620";
    expect(assetUrls(620, { header: { english: "aa/header.jpg" }, icons: { icon: "bb.jpg" } })).toEqual({
      header: { english: `${store}/aa/header.jpg` },
      icons: { icon: `${icons}/bb.jpg` },
    });
    expect(assetUrls(620, null)).toBeNull();
  });

  it.each([
    ["a b/ü?x=1#y.jpg", "a%20b/%C3%BC%3Fx%3D1%23y.jpg"],
    ["%2e%2e/x.jpg", "%252e%252e/x.jpg"],
    ['"><script>/x.jpg', "%22%3E%3Cscript%3E/x.jpg"],
  ])("percent-encodes the segments of %j", (path, encoded) => {
    const address = assetUrls(1, { header: { english: path } }).header?.english ?? "";
    expect(address).toBe(`https://shared.akamai.steamstatic.com/store_item_assets/steam/apps/1/${encoded}`);
    expect(new URL(address).href).toBe(address);
  });
});
