"""Which of the shop's columns hold what we know by name: one configuration class a table."""

from pydantic import Field

from paretail.core.config import Config

#: One column, or several of which the first that is not empty counts; `a.b` reaches into nested values.
Name = str | list[str] | None


class EventColumns(Config):
    """`[data.columns.events]`: our name = the shop's column; a column of our name needs no line."""

    user_id: Name = Field(None, description="Who did it.")
    item_id: Name = Field(None, description="To which item.")
    event: Name = Field(None, description="The shop's word for what was done; see `[data.kinds]`.")
    ts: Name = Field(None, description="When; see `time`.")
    event_id: Name = Field(None, description="A name of the event, unique with its item; a second one is a duplicate.")
    order_id: Name = Field(None, description="Ties the lines of one order together.")
    quantity: Name = Field(None, description="How many; empty counts as 1.")
    price: Name = Field(None, description="Price of one unit; see `currency` and `amounts`.")
    currency: Name = Field(None, description="ISO 4217 code of the price, where it differs from row to row.")
    request_id: Name = Field(None, description="Ties what was shown together to what followed.")
    position: Name = Field(None, description="Slot in which the item was shown; 1 is the first.")
    propensity: Name = Field(None, description="Probability with which the logging policy showed it, in (0, 1].")
    dwell_ms: Name = Field(None, description="Time that the user stayed, in milliseconds.")


class ItemColumns(Config):
    """`[data.columns.items]`: our name = the shop's column; every other column stays as an attribute."""

    item_id: Name = Field(None, description="The item.")
    parent_id: Name = Field(None, description="The product of which this is a variant.")
    title: Name = Field(None, description="What people read.")
    category: Name = Field(None, description="A list, or text such as `Home > Kitchen`, widest first.")
    brand: Name = Field(None, description="The maker.")
    price: Name = Field(None, description="Price of one unit.")
    currency: Name = Field(None, description="ISO 4217 code of the price.")
    margin: Name = Field(None, description="Share of the price that is profit, at most 1.")
    in_stock: Name = Field(None, description="Whether it can be bought now.")
    created: Name = Field(None, description="When the item entered the catalogue.")


class UserColumns(Config):
    """`[data.columns.users]`: our name = the shop's column; every other column stays as an attribute."""

    user_id: Name = Field(None, description="The user.")


class LinkColumns(Config):
    """`[data.columns.links]`: our name = the shop's column."""

    user_id: Name = Field(None, description="One of the two users.")
    friend_id: Name = Field(None, description="The other.")


class Columns(Config):
    """`[data.columns]`: one table for each of events, items, users and links."""

    events: EventColumns = EventColumns()
    items: ItemColumns = ItemColumns()
    users: UserColumns = UserColumns()
    links: LinkColumns = LinkColumns()
