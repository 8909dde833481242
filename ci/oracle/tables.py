"""The tables that the oracle judges: key, columns, and each column's Delta type."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """One table. Money and rates are integers of the last digit in the oracle; `columns` says what type the lake must show.

    A type is Delta's own word, or `whole` where any integer type will do. `optional` columns are compared when they are there;
    `open_ended`: "more may stand beside them".
    """

    name: str
    key: tuple
    columns: dict
    optional: tuple = ()
    open_ended: bool = False

    @property
    def place(self):
        """The definition: "`<lake>/<layer>/<name without layer_>`"."""
        layer, _, rest = self.name.partition("_")
        return f"{layer}/{rest}"


def typed(text):
    """Returns {column: type} of lines `type: column column ...`, in the order given."""
    columns = {}
    for line in text.strip().splitlines():
        kind, _, names = line.partition(":")
        columns |= {name: kind.strip() for name in names.split()}
    return columns


MONEY = "decimal(18,2): gross_amount discount_amount net_amount manufacturer_coupon_amount"

CUSTOMERS = typed(
    """
    string: customer_id first_name last_name email phone address city state zip country income_band ssn credit_card
    date: birth_date
    string: acquisition_source first_name_masked last_name_masked email_masked phone_masked address_masked ssn_masked
    string: credit_card_masked birth_date_masked
    timestamp: updated_at
    """
)
PRODUCTS = typed(
    """
    string: product_id department brand category type package_size
    decimal(18,2): list_price unit_cost
    boolean: is_active
    timestamp: updated_at
    """
)
CHANGES = typed("timestamp: changed_at valid_from valid_to")
ORDERS = typed(
    """
    string: order_id customer_id channel currency status source payment_method card_last4 card_last4_masked
    long: store_id
    timestamp: ordered_at placed_at paid_at shipped_at delivered_at returned_at cancelled_at
    boolean: is_late
    """
)
ORDER_ITEMS = typed(
    f"""
    string: order_id product_id source
    integer: line_number
    long: quantity
    {MONEY}
    timestamp: occurred_at
    boolean: is_late
    """
)
FX_RATES = typed(
    """
    string: currency
    date: date observation_date
    decimal(18,10): usd_rate units_per_eur
    """
)
FX_REVISIONS = typed(
    """
    string: currency
    date: observation_date revised_on
    decimal(18,10): first_units_per_eur revised_units_per_eur
    """
)
DIM_CUSTOMERS = typed(
    """
    string: customer_key customer_id
    date: valid_from valid_to
    boolean: is_current
    string: name_initials email_token email_domain_class phone_last2 birth_decade income_band country region lifecycle_stage
    string: acquisition_source company_name token_key_id
    """
)
DIM_PRODUCTS = typed(
    """
    string: product_key product_id department brand category type package_size
    date: valid_from valid_to
    boolean: is_current is_active
    decimal(18,2): list_price
    """
)
DIM_DATE = typed(
    """
    integer: date_key
    date: date
    whole: year quarter month iso_year iso_week day_of_week fiscal_year fiscal_quarter
    boolean: is_weekend
    string: holiday_name
    """
)
FACT_SALES = typed(
    f"""
    string: order_id movement customer_key product_key channel currency order_status source
    integer: line_number
    date: business_date rate_date
    timestamp: occurred_at
    long: store_id quantity
    {MONEY}
    decimal(18,10): usd_rate
    decimal(18,4): net_usd
    boolean: is_late
    """
)

TABLES = (
    Table("silver_customers", ("customer_id",), CUSTOMERS),
    Table("silver_customers_history", ("customer_id", "changed_at"), CUSTOMERS | CHANGES, optional=("updated_at",)),
    Table("silver_products", ("product_id",), PRODUCTS),
    Table("silver_products_history", ("product_id", "changed_at"), PRODUCTS | CHANGES, optional=("updated_at",)),
    Table("silver_orders", ("order_id",), ORDERS),
    Table("silver_order_items", ("order_id", "line_number"), ORDER_ITEMS),
    Table(
        "silver_order_movements",
        ("order_id", "movement", "event_id", "line_number"),
        ORDER_ITEMS | typed("string: movement event_id"),
    ),
    Table("silver_fx_rates", ("currency", "date"), FX_RATES),
    Table("silver_fx_revisions", ("currency", "observation_date", "first_units_per_eur", "revised_units_per_eur"), FX_REVISIONS),
    Table("gold_dim_date", ("date_key",), DIM_DATE, open_ended=True),
    Table("gold_dim_customers", ("customer_key",), DIM_CUSTOMERS, open_ended=True),
    Table("gold_dim_products", ("product_key",), DIM_PRODUCTS, open_ended=True),
    Table("gold_fact_sales", ("order_id", "line_number", "movement"), FACT_SALES, open_ended=True),
)
