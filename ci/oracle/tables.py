"""The tables that the oracle judges: key, columns, and each column's Delta type."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """One table. Money and rates are integers of the last digit in the oracle; `columns` says what type the lake must show.

    A type is Delta's own word, or `whole` where any integer type will do. `optional` columns are compared when they are there;
    `open_ended`: "more may stand beside them". `near` columns may differ by so much, and doubles in the tenth digit.
    `needs`: the parts of the sources' data without which the table is not built. `derived`: made of facts that are judged by
    themselves, so that `mutate` looks at it only where nothing before it differs.
    """

    name: str
    key: tuple
    columns: dict
    optional: tuple = ()
    open_ended: bool = False
    near: dict = field(default_factory=dict)
    needs: tuple = ()
    derived: bool = False

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
CAMPAIGNS = typed(
    """
    string: campaign_id name channel
    decimal(18,2): budget daily_cost
    date: start_date end_date
    timestamp: updated_at
    """
)
CAMPAIGN_TARGETS = typed(
    """
    string: campaign_id customer_id
    timestamp: updated_at
    """
)
COUPON_REDEMPTIONS = typed(
    """
    string: customer_id coupon_upc campaign_id
    date: redeemed_on
    timestamp: updated_at
    """
)
BEHAVIOR_EVENTS = typed(
    """
    string: event_id session_id customer_id resolved_customer_id event_name device geo url referrer
    string: utm_source utm_medium utm_campaign metadata
    timestamp: event_ts loaded_at
    boolean: is_late
    """
)
CONTACTS = typed(
    """
    string: contact_id email first_name last_name phone address city state zip country customer_id lifecycle_stage lead_status
    string: analytics_source owner_id email_masked first_name_masked last_name_masked phone_masked address_masked
    string: birth_date_masked
    date: birth_date
    decimal(18,2): annual_income
    timestamp: created_at updated_at deleted_at
    """
)
COMPANIES = typed(
    """
    string: company_id name domain industry country
    long: number_of_employees
    decimal(18,2): annual_revenue
    timestamp: created_at updated_at deleted_at
    """
)
CONTACT_COMPANIES = typed(
    """
    string: contact_id company_id
    boolean: is_primary
    timestamp: associated_at deleted_at
    """
)
MARKETING_ATTRIBUTION = typed(
    """
    string: campaign_id model
    date: business_date
    long: touches
    decimal(18,4): conversions attributed_usd
    decimal(18,2): cost_usd
    double: roas cac
    """
)
CUSTOMER_SEGMENTS = typed(
    """
    string: customer_id segment
    date: as_of_date
    whole: recency_days frequency tenure_days
    decimal(18,4): monetary_usd
    integer: r f m
    double: churn_risk
    decimal(18,2): expected_value_12m
    """
)
PRODUCT_PERFORMANCE = typed(
    """
    string: product_id
    date: month
    long: units
    decimal(18,4): net_usd
    double: discount_rate return_rate
    whole: distinct_customers rank_in_category
    decimal(18,2): margin_usd
    double: growth_month growth_year
    """
)
# What the attribution is made of: one row per order, model and touch; of an order without a touch one with nothing else in it.
ATTRIBUTION_SHARES = Table(
    "attribution_shares",
    ("order_id", "model", "event_id"),
    typed(
        """
        string: order_id model event_id campaign_id
        date: business_date
        decimal(18,4): conversions attributed_usd
        """
    ),
    needs=("behavior",),
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
    Table("silver_campaigns", ("campaign_id",), CAMPAIGNS),
    Table("silver_campaign_targets", ("campaign_id", "customer_id"), CAMPAIGN_TARGETS),
    Table("silver_coupon_redemptions", ("customer_id", "coupon_upc", "campaign_id", "redeemed_on"), COUPON_REDEMPTIONS),
    Table("silver_behavior_events", ("event_id",), BEHAVIOR_EVENTS, needs=("behavior",)),
    Table("silver_contacts", ("contact_id",), CONTACTS, needs=("hubspot",)),
    Table(
        "silver_contacts_history",
        ("contact_id", "changed_at"),
        CONTACTS | CHANGES,
        optional=("updated_at",),
        needs=("hubspot",),
    ),
    Table("silver_companies", ("company_id",), COMPANIES, needs=("hubspot",)),
    Table("silver_contact_companies", ("contact_id", "company_id"), CONTACT_COMPANIES, needs=("hubspot",)),
    Table(
        "gold_marketing_attribution",
        ("campaign_id", "business_date", "model"),
        MARKETING_ATTRIBUTION,
        open_ended=True,
        needs=("behavior",),
        derived=True,
    ),
    Table(
        "gold_customer_segments",
        ("customer_id", "as_of_date"),
        CUSTOMER_SEGMENTS,
        open_ended=True,
        near={"expected_value_12m": "0.01"},
        derived=True,
    ),
    Table("gold_product_performance", ("product_id", "month"), PRODUCT_PERFORMANCE, open_ended=True, derived=True),
)
