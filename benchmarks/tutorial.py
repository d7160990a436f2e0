"""Splink's tutorial model for FEBRL 4 (its example notebook "Linking the febrl4 datasets"), trained on the data it links."""

from collections.abc import Sequence

import duckdb
import pandas as pd
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on


def tutorial_pairs(tables: Sequence[pd.DataFrame], threshold: float) -> set[tuple[str, str]]:
    """Pairs of `rec_id` with a match probability of at least `threshold`: of two tables across, of one within."""
    cleaned = [table.replace("", None) for table in tables]
    settings = SettingsCreator(
        unique_id_column_name="rec_id",
        link_type="link_only" if len(tables) > 1 else "dedupe_only",
        blocking_rules_to_generate_predictions=[
            block_on("given_name", "surname"),
            "l.given_name = r.surname and l.surname = r.given_name",
            block_on("date_of_birth"),
            block_on("soc_sec_id"),
            block_on("state", "address_1"),
            block_on("street_number", "address_1"),
            block_on("postcode"),
        ],
        comparisons=[
            cl.NameComparison("given_name"),
            cl.NameComparison("surname"),
            cl.DateOfBirthComparison(
                "date_of_birth", input_is_string=True, datetime_format="%Y%m%d", invalid_dates_as_null=True
            ),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]),
        ],
    )
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        database = DuckDBAPI(connection)
        registered = [database.register(table, table_name=f"febrl_{at}") for at, table in enumerate(cleaned)]
        linker = Linker(registered, settings, log_level=None)
        train = linker.training
        train.estimate_probability_two_random_records_match(
            [block_on("soc_sec_id"), block_on("given_name", "surname", "date_of_birth")], recall=0.8
        )
        train.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
        for fixed in (block_on("substr(date_of_birth, 1, 3)"), block_on("substr(postcode, 1, 2)")):
            train.estimate_parameters_using_expectation_maximisation(fixed)
        scored = linker.inference.predict(threshold_match_probability=threshold)
        return set(connection.execute(f"SELECT rec_id_l, rec_id_r FROM {scored.physical_name}").fetchall())
