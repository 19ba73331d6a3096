"""From a country, as the platform's master list or an import writes it, to the region of its numbers."""

from phonenumbers import SUPPORTED_REGIONS, region_code_for_country_code

_NO_SINGLE_REGION = ("ZZ", "001")

# English short names of ISO 3166 and what is commonly written for them; codes of two letters need no entry.
_NAMES = {
    "AE": "united arab emirates|uae|are",
    "AF": "afghanistan|afg",
    "AR": "argentina|arg",
    "AT": "austria|aut",
    "AU": "australia|aus",
    "BD": "bangladesh|bgd",
    "BE": "belgium|bel",
    "BH": "bahrain|bhr",
    "BR": "brazil|bra",
    "BT": "bhutan|btn",
    "CA": "canada|can",
    "CH": "switzerland|che",
    "CN": "china|chn|people's republic of china",
    "CZ": "czechia|czech republic|cze",
    "DE": "germany|deu",
    "DK": "denmark|dnk",
    "EG": "egypt|egy",
    "ES": "spain|esp",
    "ET": "ethiopia|eth",
    "FI": "finland|fin",
    "FR": "france|fra",
    "GB": "united kingdom|uk|gbr|great britain|england|scotland|wales",
    "GH": "ghana|gha",
    "GR": "greece|grc",
    "HK": "hong kong|hkg",
    "ID": "indonesia|idn",
    "IE": "ireland|irl",
    "IL": "israel|isr",
    "IN": "india|ind|bharat",
    "IT": "italy|ita",
    "JO": "jordan|jor",
    "JP": "japan|jpn",
    "KE": "kenya|ken",
    "KR": "south korea|korea|republic of korea|korea, republic of|kor",
    "KW": "kuwait|kwt",
    "LB": "lebanon|lbn",
    "LK": "sri lanka|lka",
    "MM": "myanmar|burma|mmr",
    "MU": "mauritius|mus",
    "MV": "maldives|mdv",
    "MX": "mexico|mex",
    "MY": "malaysia|mys",
    "NG": "nigeria|nga",
    "NL": "netherlands|the netherlands|holland|nld",
    "NO": "norway|nor",
    "NP": "nepal|npl",
    "NZ": "new zealand|nzl",
    "OM": "oman|omn",
    "PH": "philippines|phl",
    "PK": "pakistan|pak",
    "PL": "poland|pol",
    "PT": "portugal|prt",
    "QA": "qatar|qat",
    "RU": "russia|russian federation|rus",
    "SA": "saudi arabia|kingdom of saudi arabia|ksa|sau",
    "SE": "sweden|swe",
    "SG": "singapore|sgp",
    "TH": "thailand|tha",
    "TR": "turkey|türkiye|tur",
    "TW": "taiwan|twn",
    "TZ": "tanzania|tza",
    "UA": "ukraine|ukr",
    "UG": "uganda|uga",
    "US": "united states|united states of america|usa|america",
    "VN": "vietnam|viet nam|vnm",
    "ZA": "south africa|zaf",
}
_REGIONS = {name: region for region, names in _NAMES.items() for name in names.split("|")}


def region_of_country(country: str) -> str | None:
    """`India`, `IND` or `in` is IN; None for what is not known."""
    plain = country.strip()
    if len(plain) == 2 and plain.upper() in SUPPORTED_REGIONS:
        return plain.upper()
    return _REGIONS.get(plain.casefold())


def region_of_code(country_code: str) -> str | None:
    """`91`, `+91` or `0091` is IN; where several share a code, the main one (1 is US); None if not known."""
    digits = country_code.strip().removeprefix("+").removeprefix("00")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 3):
        return None
    region = region_code_for_country_code(int(digits))
    return None if region in _NO_SINGLE_REGION else region
