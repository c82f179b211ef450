use super::media::ImageSize;

/// The pictures of a request. What they cost depends on the model, which a body may name last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Images(Vec<(ImageSize, Detail)>);

/// How much of a picture its model is to see (OpenAI's `detail`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Detail {
    /// As the model does of itself.
    #[default]
    Auto,
    Low,
    High,
    Original,
}

/// How a model's vendor counts pictures.
#[derive(Clone, Copy)]
enum ImageRule {
    /// So much for each, and for each tile of 512 pixels, after the shorter side is made to have so many.
    Tiles(u32, u32, u32),
    /// So many hundredths for each patch of 32 pixels; what a picture is made to fit in depends on its detail.
    Patches(u32, Fits),
    /// One for each patch of 28 pixels, of a picture whose longer side has so many at most, and this many in all.
    Squares(u32, u32),
    /// A token for so many pixels, and this many at most.
    Pixels(u32, u32),
    /// So much for each piece of two thirds of the shorter side.
    Crops(u32),
    /// So much for each.
    Each(u32),
}
use ImageRule::{Crops, Each, Patches, Pixels, Squares, Tiles};

/// What a picture is made to fit in: the longest side, and the patches.
#[derive(Clone, Copy)]
enum Fits {
    /// In whatever detail.
    Always(u32, u32),
    /// Low, high and original detail; where nothing is said, it is as high or as original.
    By { low: (u32, u32), high: (u32, u32), original: (u32, u32), is_original: bool },
}
use Fits::{Always, By};

/// Low, high and original detail of OpenAI's models of 2026. Those of GPT-5.6 have no bound but the longest side that a picture
/// may have.
const LOW: (u32, u32) = (512, u32::MAX);
const HIGH: (u32, u32) = (2_048, 2_500);
const ORIGINAL: (u32, u32) = (6_000, 10_000);
const UNBOUND: (u32, u32) = (65_535, u32::MAX);
const GPT_5_4: Fits = By { low: (2_048, 6_144), high: HIGH, original: ORIGINAL, is_original: false };
const GPT_5_5: Fits = By { low: LOW, high: HIGH, original: ORIGINAL, is_original: true };
const GPT_5_6: Fits = By { low: LOW, high: HIGH, original: UNBOUND, is_original: true };
const GPT_5_2: Fits = Always(2_048, 6_144);
const OF_2025: Fits = Always(2_048, 1_536);

/// By how the name of the model begins; the first that fits decides. The sources and their dates are in docs/upstream.md §2.4.
const RULES: [(&str, ImageRule); 34] = [
    // OpenAI's guide to images and vision, of September 2026.
    ("gpt-4o-mini", Tiles(2_833, 5_667, SHORTER)),
    ("gpt-4.1-mini", Patches(162, GPT_5_2)),
    ("gpt-4.1-nano", Patches(246, OF_2025)),
    ("gpt-4", Tiles(85, 170, SHORTER)),
    ("gpt-5-mini", Patches(120, OF_2025)),
    ("gpt-5-nano", Patches(150, OF_2025)),
    ("gpt-5.1", Tiles(70, 140, SHORTER)),
    ("gpt-5.2", Patches(120, GPT_5_2)),
    ("gpt-5.3", Patches(120, GPT_5_2)),
    ("gpt-5.4", Patches(120, GPT_5_4)),
    ("gpt-5.5", Patches(120, GPT_5_5)),
    ("gpt-5.", Patches(120, GPT_5_6)),
    ("gpt-5", Tiles(70, 140, SHORTER)),
    ("gpt-6", Patches(120, GPT_5_6)),
    ("gpt-image", Tiles(65, 129, SHORTER_OF_IMAGE)),
    ("computer-use", Tiles(65, 129, SHORTER)),
    ("o4-mini", Patches(172, OF_2025)),
    ("o1", Tiles(75, 150, SHORTER)),
    ("o3", Tiles(75, 150, SHORTER)),
    // Anthropic's guide to vision, of August 2026: two tiers, the larger from Claude 4.7 on.
    ("claude-opus-4-7", LARGE_SQUARES),
    ("claude-opus-4.7", LARGE_SQUARES),
    ("claude-opus-4-8", LARGE_SQUARES),
    ("claude-opus-4.8", LARGE_SQUARES),
    ("claude-3", SMALL_SQUARES),
    ("claude-opus-4", SMALL_SQUARES),
    ("claude-sonnet-4", SMALL_SQUARES),
    ("claude-haiku-4", SMALL_SQUARES),
    ("claude", LARGE_SQUARES),
    // Google's guide to tokens; since Gemini 3, its guide to media resolution.
    ("gemini-1", Crops(258)),
    ("gemini-2", Crops(258)),
    ("gemini", Each(1_120)),
    // Alibaba's models, as their users measure them (2026).
    ("qwen3", Pixels(1_024, 2_560)),
    ("qwen", Pixels(784, 1_280)),
    ("", Tiles(85, 170, SHORTER)),
];

const SMALL_SQUARES: ImageRule = Squares(1_568, 1_568);
const LARGE_SQUARES: ImageRule = Squares(2_576, 4_784);

/// Where OpenAI's tiles come from: pictures are made to fit in a square of the first, and then so that the shorter side
/// has the second, which is less for a model that makes pictures.
const FITS: u32 = 2_048;
const SHORTER: u32 = 768;
const SHORTER_OF_IMAGE: u32 = 512;
const TILE: u32 = 512;
const PATCH: u32 = 32;
/// Anthropic's patches.
const SQUARE: u32 = 28;
/// Both sides of a picture that costs Gemini's least.
const SMALL: u32 = 384;
/// So many pictures count. OpenAI takes 1,500 in a request, Anthropic 600.
const MOST: usize = 1_500;

impl Images {
    /// One more picture.
    pub(super) fn add(&mut self, size: ImageSize, detail: Detail) {
        if self.0.len() < MOST {
            self.0.push((size, detail));
        }
    }

    /// What they cost all together, to this model.
    pub(super) fn tokens(&self, model: &str) -> u32 {
        if self.0.is_empty() {
            return 0;
        }
        let rule = ImageRule::of(model);
        self.0.iter().map(|&(size, detail)| rule.tokens(size, detail)).fold(0, u32::saturating_add)
    }
}

impl Detail {
    /// As a body says it.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "low" => Self::Low,
            "high" => Self::High,
            "original" => Self::Original,
            _ => Self::Auto,
        }
    }
}

impl ImageRule {
    /// Of a model; gateways put a provider before its name, and clouds a region.
    fn of(model: &str) -> Self {
        let model = model.rsplit('/').next().unwrap_or(model);
        let model = model.find("claude").map_or(model, |at| &model[at..]);
        let is_of = |(beginning, _): &&(&str, Self)| model.starts_with(beginning);
        RULES.iter().find(is_of).map_or(Tiles(85, 170, SHORTER), |&(_, rule)| rule)
    }

    fn tokens(self, size: ImageSize, detail: Detail) -> u32 {
        let ImageSize { width, height } = size;
        match self {
            Tiles(each, _, _) if detail == Detail::Low => each,
            Tiles(each, tile, shorter) => tiles(size, shorter).saturating_mul(tile).saturating_add(each),
            Patches(hundredths, fits) => {
                let (longest, most) = fits.of(detail);
                let patches = u64::from(cover(fit(size, longest), PATCH).min(most));
                u32::try_from((patches * u64::from(hundredths)).div_ceil(100)).unwrap_or(u32::MAX)
            }
            Squares(longest, most) => cover(fit(size, longest), SQUARE).min(most),
            Pixels(of_token, most) => {
                let tokens = (u64::from(width) * u64::from(height)).div_ceil(of_token.into());
                u32::try_from(tokens).unwrap_or(u32::MAX).min(most)
            }
            Crops(each) => crops(size).saturating_mul(each),
            Each(tokens) => tokens,
        }
    }
}

impl Fits {
    fn of(self, detail: Detail) -> (u32, u32) {
        match self {
            Always(longest, patches) => (longest, patches),
            By { low, high, original, is_original } => match detail {
                Detail::Low => low,
                Detail::High => high,
                Detail::Original => original,
                Detail::Auto => {
                    if is_original {
                        original
                    } else {
                        high
                    }
                }
            },
        }
    }
}

/// Made smaller until no side is longer.
fn fit(ImageSize { width, height }: ImageSize, longest: u32) -> ImageSize {
    let longer = width.max(height);
    if longer <= longest {
        return ImageSize { width, height };
    }
    let scaled = |side: u32| (u64::from(side) * u64::from(longest) / u64::from(longer)).max(1);
    let scaled = |side| u32::try_from(scaled(side)).unwrap_or(longest);
    ImageSize { width: scaled(width), height: scaled(height) }
}

/// How many squares of this side cover it.
fn cover(ImageSize { width, height }: ImageSize, side: u32) -> u32 {
    width.div_ceil(side).saturating_mul(height.div_ceil(side))
}

fn tiles(size: ImageSize, shorter: u32) -> u32 {
    let ImageSize { width, height } = fit(size, FITS);
    let (long, short) = (width.max(height), width.min(height));
    if short <= shorter {
        return cover(ImageSize { width: long, height: short.max(1) }, TILE);
    }
    let long = u64::from(long) * u64::from(shorter) / u64::from(short);
    cover(ImageSize { width: u32::try_from(long).unwrap_or(FITS), height: shorter }, TILE)
}

fn crops(ImageSize { width, height }: ImageSize) -> u32 {
    if width <= SMALL && height <= SMALL {
        return 1;
    }
    let unit = (width.min(height) / 3 * 2).clamp(256, 768);
    cover(ImageSize { width, height }, unit)
}

#[cfg(test)]
mod tests {
    use super::Detail::{Auto, High, Low, Original};
    use super::*;

    fn tokens(model: &str, width: u32, height: u32, detail: Detail) -> u32 {
        let mut images = Images::default();
        images.add(ImageSize { width, height }, detail);
        images.tokens(model)
    }

    /// The examples in the vendors' documentation; what is made to fit a number of patches or squares may have one in a
    /// hundred less there.
    #[test]
    fn images_cost_what_vendors_say() {
        let documented = [
            ("gpt-4o", 1024, 1024, Auto, 765),
            ("gpt-4o", 2048, 4096, High, 1_105),
            ("gpt-4o", 1920, 1080, High, 1_105),
            ("gpt-4o", 4096, 8192, Low, 85),
            ("gpt-4o-mini", 1024, 1024, High, 25_501),
            ("gpt-5", 1024, 1024, Auto, 630),
            ("openai/o1", 1024, 1024, Auto, 675),
            ("gpt-4.1-mini", 1024, 1024, Auto, 1_659),
            ("o4-mini", 1800, 2400, Auto, 2_642),
            ("gpt-5.4", 1024, 1024, High, 1_229),
            ("gpt-5.4", 2048, 2048, High, 3_000),
            ("gpt-5.4-mini", 2048, 2048, Auto, 3_000),
            ("gpt-5.4", 2048, 2048, Low, 4_916),
            ("gpt-5.5", 1920, 1080, High, 2_448),
            ("gpt-5.5", 4096, 2048, Low, 154),
            ("gpt-5.5", 2048, 2048, Auto, 4_916),
            ("gpt-5.6-sol", 3840, 2160, Original, 9_792),
            ("gpt-6-astra", 2048, 2048, High, 3_000),
            ("gpt-image-1", 1024, 1024, Auto, 194),
            ("claude-sonnet-4-5", 1092, 1092, Auto, 1_521),
            ("claude-sonnet-4-6", 1000, 1000, Auto, 1_296),
            ("claude-3-5-haiku-latest", 200, 200, Auto, 64),
            ("claude-sonnet-4-6", 1920, 1080, Auto, 1_568),
            ("anthropic/claude-opus-4.7", 1920, 1080, Auto, 2_691),
            ("us.anthropic.claude-opus-5-v1:0", 3840, 2160, Auto, 4_784),
            ("claude-opus-5", 2000, 1125, Auto, 2_952),
            ("gemini-2.5-flash", 384, 384, Auto, 258),
            ("gemini-2.5-flash", 960, 540, Auto, 1_548),
            ("google/gemini-3.5-flash", 960, 540, Auto, 1_120),
            ("qwen3-vl-plus", 1024, 1024, Auto, 1_024),
            ("qwen-vl-max", 3840, 2160, Auto, 1_280),
            ("what-is-this", 512, 512, Auto, 255),
        ];
        for (model, width, height, detail, expected) in documented {
            assert_eq!(tokens(model, width, height, detail), expected, "{model} {width} × {height} {detail:?}");
        }
    }

    #[test]
    fn images_of_any_size_break_nothing() {
        for size in [0, 1, 31, 65_535, u32::MAX] {
            for (model, _) in RULES {
                for detail in [Auto, Low, High, Original] {
                    let sizes = [(size, size), (size, 1), (1, size)];
                    let _ = sizes.map(|(width, height)| tokens(model, width, height, detail));
                }
            }
        }
    }

    /// A body that consists of pictures costs time, not memory without end.
    #[test]
    fn pictures_beyond_any_request_are_not_kept() {
        let mut images = Images::default();
        (0..MOST * 2).for_each(|_| images.add(ImageSize { width: 1, height: 1 }, Low));
        assert_eq!(images.tokens("gpt-4o"), 1_500 * 85);
    }
}
