use super::media::ImageSize;

/// The pictures of a request, measured in all the ways in which vendors count them: which one it is depends on the model,
/// which a body may name last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Images {
    count: u32,
    /// Tiles of 512 pixels, of those in high detail.
    tiles: u32,
    /// Patches of 32 pixels.
    patches: u32,
    /// As far as they count.
    pixels: u64,
    /// Pieces of two thirds of the shorter side.
    crops: u32,
}

/// How a model's vendor counts pictures.
#[derive(Clone, Copy)]
enum ImageRule {
    /// So much for each, and for each tile.
    Tiles(u32, u32),
    /// So many hundredths for each patch.
    Patches(u32),
    /// A token for so many pixels.
    Pixels(u32),
    /// So much for each piece.
    Crops(u32),
}
use ImageRule::{Crops, Patches, Pixels, Tiles};

/// By how the name of the model begins; the first that fits decides. OpenAI's, Anthropic's and Google's documentation, and
/// Qwen's (docs/upstream.md §2.4, seen 2026-11-30).
const RULES: [(&str, ImageRule); 15] = [
    ("gpt-4o-mini", Tiles(2_833, 5_667)),
    ("gpt-4.1-mini", Patches(162)),
    ("gpt-4.1-nano", Patches(246)),
    ("gpt-5-mini", Patches(162)),
    ("gpt-5-nano", Patches(246)),
    ("o4-mini", Patches(172)),
    ("gpt-5", Tiles(70, 140)),
    ("gpt-image", Tiles(65, 129)),
    ("computer-use", Tiles(65, 129)),
    ("o1", Tiles(75, 150)),
    ("o3", Tiles(75, 150)),
    ("claude", Pixels(750)),
    ("gemini", Crops(258)),
    ("qwen", Pixels(784)),
    ("", Tiles(85, 170)),
];

/// Where OpenAI's tiles come from: pictures are made to fit in a square of the first, and then so that the shorter side
/// has the second.
const FITS: u32 = 2_048;
const SHORTER: u32 = 768;
const TILE: u32 = 512;
const PATCH: u32 = 32;
/// OpenAI's patches end there, and those of low detail at a picture of 512 pixels.
const MOST_PATCHES: u32 = 1_536;
const MOST_LOW_PATCHES: u32 = 256;
/// A picture is made smaller until it has 1,600 tokens (Anthropic).
const MOST_PIXELS: u64 = 1_600 * 750;
/// Both sides of a picture that costs Gemini's least.
const SMALL: u32 = 384;

impl Images {
    /// One more picture.
    pub(super) fn add(&mut self, size: ImageSize, is_low: bool) {
        let ImageSize { width, height } = size;
        let patches = width.div_ceil(PATCH).saturating_mul(height.div_ceil(PATCH));
        self.count += 1;
        self.tiles = self.tiles.saturating_add(if is_low { 0 } else { tiles(size) });
        self.patches = self.patches.saturating_add(patches.min(if is_low { MOST_LOW_PATCHES } else { MOST_PATCHES }));
        self.pixels += (u64::from(width) * u64::from(height)).min(MOST_PIXELS);
        self.crops = self.crops.saturating_add(crops(size));
    }

    /// What they cost all together, to this model.
    pub(super) fn tokens(&self, model: &str) -> u32 {
        if self.count == 0 {
            return 0;
        }
        let model = model.rsplit('/').next().unwrap_or(model);
        let rule =
            RULES.iter().find(|(beginning, _)| model.starts_with(beginning)).map_or(Tiles(85, 170), |&(_, rule)| rule);
        match rule {
            Tiles(each, tile) => self.count.saturating_mul(each).saturating_add(self.tiles.saturating_mul(tile)),
            Patches(hundredths) => self.patches.saturating_mul(hundredths).div_ceil(100),
            Pixels(of_token) => u32::try_from(self.pixels.div_ceil(of_token.into())).unwrap_or(u32::MAX),
            Crops(each) => self.crops.saturating_mul(each),
        }
    }
}

fn tiles(ImageSize { width, height }: ImageSize) -> u32 {
    let (mut long, mut short) = (u64::from(width.max(height)), u64::from(width.min(height)));
    if long > FITS.into() {
        (long, short) = (FITS.into(), short * u64::from(FITS) / long);
    }
    if short > SHORTER.into() {
        (long, short) = (long * u64::from(SHORTER) / short, SHORTER.into());
    }
    let tiles = long.div_ceil(TILE.into()) * short.max(1).div_ceil(TILE.into());
    u32::try_from(tiles).unwrap_or(u32::MAX)
}

fn crops(ImageSize { width, height }: ImageSize) -> u32 {
    if width <= SMALL && height <= SMALL {
        return 1;
    }
    let unit = (width.min(height) / 3 * 2).clamp(256, 768);
    width.div_ceil(unit).saturating_mul(height.div_ceil(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(model: &str, width: u32, height: u32, is_low: bool) -> u32 {
        let mut images = Images::default();
        images.add(ImageSize { width, height }, is_low);
        images.tokens(model)
    }

    /// The examples in the vendors' documentation.
    #[test]
    fn images_cost_what_vendors_say() {
        let documented = [
            ("gpt-4o", 1024, 1024, false, 765),
            ("gpt-4o", 2048, 4096, false, 1_105),
            ("gpt-4o", 4096, 8192, true, 85),
            ("gpt-4o-mini", 1024, 1024, false, 25_501),
            ("gpt-5", 1024, 1024, false, 630),
            ("openai/o1", 1024, 1024, false, 675),
            ("gpt-4.1-mini", 1024, 1024, false, 1_659),
            ("anthropic/claude-sonnet-4-5", 1092, 1092, false, 1_590),
            ("claude-haiku-4-5", 200, 200, false, 54),
            ("gemini-2.5-flash", 384, 384, false, 258),
            ("gemini-2.5-flash", 960, 540, false, 1_548),
            ("what-is-this", 512, 512, false, 255),
        ];
        for (model, width, height, is_low, expected) in documented {
            assert_eq!(tokens(model, width, height, is_low), expected, "{model} {width} × {height}");
        }
    }

    #[test]
    fn images_of_any_size_break_nothing() {
        for size in [0, 1, 31, 65_535, u32::MAX] {
            for model in ["gpt-4o", "gpt-5-mini", "claude", "gemini"] {
                let _ = (tokens(model, size, size, false), tokens(model, size, 1, true), tokens(model, 1, size, false));
            }
        }
    }
}
