"""Which names of languages and regions are there?"""

from __future__ import annotations

import re
from typing import Final

_LANGUAGES: Final = (
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy"
    " da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht"
    " hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky"
    " la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny"
    " oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss"
    " st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo"
    " za zh zu"
)
LANGUAGES: Final = frozenset(_LANGUAGES.split())
"""ISO 639-1."""
_REGIONS: Final = (
    "ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq"
    " br bs bt bv bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm"
    " do dz ec ee eg eh er es et fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs"
    " gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn"
    " kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo mp mq"
    " mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm"
    " pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st sv"
    " sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug um us uy uz va vc ve vg vi"
    " vn vu wf ws ye yt za zm zw"
)
REGIONS: Final = frozenset(_REGIONS.split())
"""ISO 3166-1 alpha-2, lower case."""
REGISTERED_LANGUAGES: Final = LANGUAGES | {"bh", "in", "iw", "ji", "jw", "mo", "sh"}
_OTHER_REGIONS: Final = "aa ac an bu cp cq cs dd dg ea eu ez fx ic nt su ta tp un yd yu zr zz"
REGISTERED_REGIONS: Final = REGIONS | frozenset(_OTHER_REGIONS.split())
"""What the registry of BCP 47 has beside, most of it deprecated."""
_HREFLANG: Final = re.compile(r"([a-z]{2})(?:-[a-z]{4})?(?:-([a-z]{2}))?")
_TAG: Final = re.compile(
    r"(?P<language>[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{5,8})"
    r"(?:-[a-z]{4})?"
    r"(?:-(?P<region>[a-z]{2}|\d{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*"
    r"(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*"
    r"(?:-x(?:-[a-z0-9]{1,8})+)?"
    r"|x(?:-[a-z0-9]{1,8})+"
)
"""RFC 5646, section 2.1."""
_IRREGULAR: Final = (
    "en-gb-oed i-ami i-bnn i-default i-enochian i-hak i-klingon i-lux i-mingo i-navajo i-pwn"
    " i-tao i-tay i-tsu sgn-be-fr sgn-be-nl sgn-ch-de art-lojban cel-gaulish no-bok no-nyn"
    " zh-guoyu zh-hakka zh-min zh-min-nan zh-xiang"
)
_GRANDFATHERED: Final = frozenset(_IRREGULAR.split())
MACROLANGUAGES: Final = {
    "ar": (
        "aao abh abv acm acq acw acx acy adf aeb aec afb ajp apc apd arb arq ars ary arz "
        "auz avl ayh ayl ayn ayp bbz pga shu ssh"
    ),
    "az": "azb azj",
    "bik": "bcl bhk bln bto cts fbl lbl rbl ubl",
    "et": "ekk vro",
    "fa": "pes prs",
    "ff": "ffm fub fuc fue fuf fuh fui fuq fuv",
    "gn": "gnw gug gui gun nhd",
    "kok": "gom knn",
    "ku": "ckb kmr sdh",
    "lv": "ltg lvs",
    "mg": "bhr bjq bmm bzc msh plt skg tdx tkg txy xmv xmw",
    "mn": "khk mvf",
    "ms": (
        "bjn btj bve bvu coa dup hji jak jax kvb kvr kxd lce lcf liw max meo mfa "
        "mfb min mqg msi mui orn ors pel pse tmw urk vkk vkt xmm zlm zmi zsm"
    ),
    "ne": "dty npi",
    "no": "nb nn",
    "om": "gax gaz hae orc",
    "or": "ory spv",
    "ps": "pbt pbu pst",
    "qu": (
        "cqu qub qud quf qug quh quk qul qup qur qus quw qux quy quz qva qvc qve qvh qvi "
        "qvj qvl qvm qvn qvo qvp qvs qvw qvz qwa qwc qwh qws qxa qxc qxh qxl qxn qxo qxp "
        "qxr qxt qxu qxw"
    ),
    "sa": "cls vsn",
    "sh": "bs cnr hr sr",
    "sq": "aae aat aln als",
    "sw": "swc swh",
    "uz": "uzn uzs",
    "zh": "cdo cjy cmn cnp cpx csp czh czo gan hak hsn lzh mnp nan wuu yue",
}
"""What is one language to whoever tells languages by their texts, as the registry of BCP 47 (of
2024-05-16) joins them; but for Indonesian, which nobody calls Malay."""
_MACROLANGUAGE: Final = {
    member: one for one, members in MACROLANGUAGES.items() for member in members.split()
} | {"fil": "tl", "in": "id", "iw": "he", "ji": "yi", "jw": "jv", "kik": "ki", "mo": "ro"}


def is_hreflang(code: str) -> bool:
    """Is this what search engines take for hreflang: ISO 639-1, script, ISO 3166-1?

    https://developers.google.com/search/docs/specialty/international/localized-versions
    """
    code = code.lower()
    found = _HREFLANG.fullmatch(code)
    if found is None:
        return code == "x-default"
    return found[1] in LANGUAGES and (found[2] is None or found[2] in REGIONS)


def is_language_tag(tag: str) -> bool:
    """Is this a tag of BCP 47, and what it has in two letters registered?"""
    tag = tag.lower()
    found = _TAG.fullmatch(tag)
    if found is None:
        return tag in _GRANDFATHERED
    language, region = found["language"] or "", found["region"] or ""
    is_known = len(language) != 2 or language in REGISTERED_LANGUAGES
    return is_known and (len(region) != 2 or region[0] == "x" or region in REGISTERED_REGIONS)


def macrolanguage(tag: str) -> str:
    """The language of a tag, or that of which it is one: ``no`` of ``nb-NO``."""
    language = tag.lower().replace("_", "-").partition("-")[0].strip()
    return _MACROLANGUAGE.get(language, language)
