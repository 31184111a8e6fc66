// Written by scripts/generate_typescript.py from the OpenAPI document; `make docs` writes it anew.

/** What became of each row; what is accepted is on disk, and the next answer obeys. All rejected is an error. */
export interface BatchAnswer {
  /** A name of this answer; events may tell it to say what they follow from. */
  request_id: string;
  accepted: number;
  duplicates: number;
  rejected: number;
  rows: Verdict[];
}

/** What items are worth, times a factor, where a filter is true: above 1 they rise, below they are buried. */
export interface Boost {
  /** Which items may be listed, such as `category in ["shoes"] and price < 50`. */
  filter: string;
  /** 0 to 1,000. */
  factor: number;
}

/** At most so many items with the same value of an attribute. */
export interface Cap {
  /** `category`, `brand` or another attribute. */
  by: string;
  /** 1 to 1,000. */
  most: number;
}

/** Categories for somebody; `item_id` of a line is the path, such as `Garden > Pots`. */
export interface CategoriesRequest {
  /** The shop's id; an unknown user is served as well. */
  user_id?: string | null;
  /** What a visitor did, after the history of `user_id`. */
  events?: Event[];
  /** Items of a session, as views; the last one is the newest. */
  items?: string[];
  /** Length of the list. 1 to 1,000. By default 20. */
  k?: number;
  /** Kinds of events that take what they are about out of the list; `["none"]`: nothing. By default as the bundle was trained. */
  exclude?: string[] | null;
  /** Not these. */
  exclude_ids?: string[];
  /** Only those for which this is true. */
  filter?: string | null;
  /** Tell why each one is in the list. By default false. */
  explain?: boolean;
  /** Tell the strongest ways from the user to each one, with exact counts, up to three. By default false. */
  paths?: boolean;
  /** Your own name for this request. */
  request_id?: string | null;
}

/** The one shape of every error. */
export interface ErrorAnswer {
  error: ErrorDetail;
  /** A name of this answer; events may tell it to say what they follow from. */
  request_id: string;
}

/** What was found, what was expected, what to do. */
export interface ErrorDetail {
  /** Stable; each has a section in docs/errors.md. */
  code: string;
  found: string;
  expected: string;
  do: string;
}

/** A figure with its 95 % interval. */
export interface Estimate {
  value: number;
  low: number;
  high: number;
}

/** One thing that the visitor did, told with a question and not stored. */
export interface Event {
  /** With which item; unknown ones are ignored. */
  item_id: string;
  /** What: the shop's word or ours; may be left out where there is one kind. */
  kind?: string | null;
  /** When, in seconds UTC; by default now. */
  ts?: number | null;
  /** How many. 0 to 1,000,000. By default 1.0. */
  quantity?: number;
}

/** Events to keep; each is judged for itself. */
export interface EventsRequest {
  events: NewEvent[];
}

/** Why one prediction differs from that of the usual pair: an average user, an item as usually shown. */
export interface Explanation {
  /** click; cart or purchase, given a click (without impressions in the log: of all pairs); value: of an order. */
  task: string;
  /** A probability; of value money, expected of an order. */
  predicted: number;
  /** The same of the usual pair. */
  usual: number;
  /** What each group adds, the largest first: taste, popularity, attributes, price ...; in logarithms of odds, of value of money. They sum to the difference from the usual. */
  adds: Record<string, number>;
  /** The same in words. */
  text: string;
}

/** People whom somebody may know or befriend; whom they know already is left out. */
export interface FriendsRequest {
  /** The shop's id; an unknown user is served as well. */
  user_id?: string | null;
  /** What a visitor did, after the history of `user_id`. */
  events?: Event[];
  /** Items of a session, as views; the last one is the newest. */
  items?: string[];
  /** Length of the list. 1 to 1,000. By default 20. */
  k?: number;
  /** Kinds of events that take what they are about out of the list; `["none"]`: nothing. By default as the bundle was trained. */
  exclude?: string[] | null;
  /** Not these. */
  exclude_ids?: string[];
  /** Only those for which this is true. */
  filter?: string | null;
  /** Tell why each one is in the list. By default false. */
  explain?: boolean;
  /** Tell the strongest ways from the user to each one, with exact counts, up to three. By default false. */
  paths?: boolean;
  /** Your own name for this request. */
  request_id?: string | null;
}

/** Where a setting lies among those that were measured; points are hundredths of a goal's reachable range. */
export interface FrontPosition {
  /** All of this in words. */
  told: string;
  /** Other settings of the same goals that were measured. */
  measured: number;
  /** Those that are as good in every goal that is weighed, and better in one: 0 on the front. */
  beaten_by: number;
  /** The `shares` of the one that beats it by most. */
  better?: Record<string, number>;
  /** For each goal that is asked for, by how many points the others change for a point more of it; without a goal that has no more to give. */
  costs?: Record<string, Record<string, number>>;
}

/** What a slate is for: exactly one of `dial`, `maximise` (with `keep`) and `preset`. */
export interface Goals {
  /** Goals and how far each is turned up: the share of its reachable range. */
  dial?: Record<string, number> | null;
  /** The goal of which as much as possible is wanted. */
  maximise?: string | null;
  /** Least values of other goals: `">= -2%"` of what is served without goals, `">= 0.3"` in its unit (money in the reporting currency). */
  keep?: Record<string, string>;
  /** A name of `[policy.presets]`. */
  preset?: string | null;
}

/** What is predicted of a slate, goal by goal in its unit (money in the reporting currency). */
export interface GoalsAnswer {
  /** Of this slate. */
  predicted: Record<string, number>;
  /** On average over users like this one, under these goals, drawn as `explore` says. */
  expected: Record<string, number>;
  /** On average over them without goals: `[policy] base`. */
  today: Record<string, number>;
  /** Where each goal that is weighed stands in its reachable range, 0 to 1, below 0 where drawing slates costs more of it than that; without a goal of which slates without goals have all: `front.told` names it. */
  shares: Record<string, number>;
  /** Users like this one: `new`, `light` or `heavy`. */
  segment: string;
  /** What each goal is counted in. */
  units: Record<string, string>;
  /** Where this setting lies on the front of what was measured. */
  front: FrontPosition;
  /** Rules of the slate that could not be kept. */
  broken?: string[];
}

/** A category or brand that a user turned to; shares of one list add up to at most 1. */
export interface Interest {
  name: string;
  share: number;
  events: number;
}

/** An item of the catalogue, whole: what is not told is unknown. */
export interface Item {
  item_id: string;
  title?: string | null;
  /** From the widest to the narrowest. */
  category?: string[] | null;
  brand?: string | null;
  /** In the reporting currency. */
  price?: number | null;
  /** Share of the price that is profit. -1,000 to 1. */
  margin?: number | null;
  /** Unknown counts as in stock. */
  in_stock?: boolean | null;
  /** Since when it is sold, in seconds UTC. */
  created?: number | null;
  /** The product of which it is a variant. */
  parent_id?: string | null;
  /** Never list it. By default false. */
  hidden?: boolean;
  /** The shop's own; filters may ask for them. */
  attributes?: Record<string, string | number | boolean | string[] | null>;
}

/** An item as it is now. */
export interface ItemAnswer {
  item: Item;
  /** The version of the bundle that answered. */
  model_version: string;
  /** Whether the model knows it; one that is newer is listed as `new` and `trending`, and recommended after the next training. By default true. */
  learned?: boolean;
}

/** What changes of an item; what is not told stays, null makes it unknown, attributes change one by one. */
export interface ItemChange {
  item_id: string;
  title?: string | null;
  category?: string[] | null;
  brand?: string | null;
  price?: number | null;
  /** -1,000 to 1. */
  margin?: number | null;
  in_stock?: boolean | null;
  created?: number | null;
  parent_id?: string | null;
  hidden?: boolean;
  attributes?: Record<string, string | number | boolean | string[] | null>;
}

/** Items to change. */
export interface ItemChanges {
  items: ItemChange[];
}

/** Items to delete: they are never listed again, until they are set again. */
export interface ItemIds {
  item_ids: string[];
}

/** Items to set. */
export interface ItemsRequest {
  items: Item[];
}

/** One list of a page. */
export interface ListRequest {
  /** Which list. */
  placement: "because-you-bought" | "for-you" | "new" | "trending" | "your-categories";
  /** Length of the list. 1 to 1,000. By default 10. */
  k?: number;
  /** Beside that of the page. */
  filter?: string | null;
}

/** The process answers. */
export interface Live {
  /** By default "live". */
  status?: "live";
}

/** Who is who. */
export interface MergeAnswer {
  /** A name of this answer; events may tell it to say what they follow from. */
  request_id: string;
  user_id: string;
  visitor_id: string;
  /** Events of the user now, as far as they are held in memory. */
  events: number;
}

/** A visitor has logged in: what they did, and will do under that id, is the user's. */
export interface MergeRequest {
  visitor_id: string;
}

/** One event to keep. */
export interface NewEvent {
  user_id: string;
  item_id: string;
  /** What: the shop's word or ours; needed where there are several. */
  kind?: string | null;
  /** When, in seconds UTC; by default now; at most a day ahead. */
  ts?: number | null;
  /** Its name: with the same name and item it is kept once. By default a new one. */
  event_id?: string | null;
  order_id?: string | null;
  /** How many; null is 1. 0 to 1,000,000. */
  quantity?: number | null;
  /** Of one, in the reporting currency. */
  price?: number | null;
  /** The answer that it follows from. */
  request_id?: string | null;
  /** Its rank there. 1 to 100,000. */
  position?: number | null;
  /** Seconds spent on it. */
  dwell?: number | null;
}

/** The lists in the order asked; one for which there is nothing to say is empty. */
export interface PageAnswer {
  /** A name of this answer; events may tell it to say what they follow from. */
  request_id: string;
  /** The version of the bundle that answered. */
  model_version: string;
  lists: PageList[];
  /** Parts that failed; the answer is whole without them. */
  degraded?: string[];
}

/** One list of a page. */
export interface PageList {
  placement: string;
  /** What a person would call the list. */
  title: string;
  items: RecommendedItem[];
  /** The agent that filled the list; none: greedy. */
  policy?: string | null;
  /** Where it was composed for goals. */
  goals?: GoalsAnswer | null;
  /** The experiment of `[[experiments]]` that this list belongs to. */
  experiment?: string | null;
  /** The arm that the user is in. */
  arm?: string | null;
  /** Where the arm has a bundle of its own: its version. */
  model_version?: string | null;
}

/** Several lists for one page, no item twice; earlier lists choose first. */
export interface PageRequest {
  /** The shop's id; an unknown user is served as well. */
  user_id?: string | null;
  /** What a visitor did, after the history of `user_id`. */
  events?: Event[];
  /** Items of a session, as views; the last one is the newest. */
  items?: string[];
  /** Kinds whose items are not recommended again; `["all"]`, `["none"]`; by default the target, or none where repeat purchases are wanted. */
  exclude?: string[] | null;
  /** Only items for which this is true. */
  filter?: string | null;
  /** Only these items; empty: any. */
  include_items?: string[];
  /** Not these items. */
  exclude_items?: string[];
  /** List items that are out of stock too. By default false. */
  out_of_stock?: boolean;
  /** Only items sold for so many days at most; those that do not tell are listed. By default as the service is configured. */
  max_age_days?: number | null;
  /** List several variants of one product. By default false. */
  variants?: boolean;
  /** Ties calls of one visit together. */
  session_id?: string | null;
  /** Leave out what this session was shown before. By default false. */
  skip_shown?: boolean;
  /** An item shown so many times to the user without a click steps back by a list's length; 0: never. By default as the service is configured. 0 to 1,000. */
  fatigue?: number | null;
  /** Least score of a listed item, as a share of the user's best item's. 0 to 1. By default 0.0. */
  min_relevance?: number;
  /** Tell why each item is in the list. By default false. */
  explain?: boolean;
  /** Tell the strongest ways from the user to each item, with exact counts, up to three. By default false. */
  paths?: boolean;
  /** Your own name for this request; the same name counts once. */
  request_id?: string | null;
  /** The lists. */
  lists?: ListRequest[];
}

/** An item at a place of its own. */
export interface Pin {
  item_id: string;
  /** 1 is the best place. 1 to 1,000. */
  rank: number;
}

/** What followed from what was shown. */
export interface PlacementStats {
  placement: string;
  model_version: string;
  lists: number;
  impressions: number;
  clicks: number;
  carts: number;
  purchases: number;
  /** In the reporting currency. */
  revenue: number;
  /** Clicks an impression. */
  ctr: Estimate | null;
  /** Purchases a click. */
  cvr: Estimate | null;
  /** Revenue a thousand impressions. */
  revenue_per_mille: Estimate | null;
}

/** What the user's items cost, in the reporting currency, and where that lies in the catalogue (0 cheapest, 1). */
export interface PriceLevel {
  low: number;
  median: number;
  high: number;
  percentile: number;
}

/** What is known of a user's interests, newer events weighing more. */
export interface ProfileAnswer {
  user_id: string;
  /** The same in a sentence or two. */
  words: string;
  events: Record<string, number>;
  categories: Interest[];
  brands: Interest[];
  /** Seconds UTC. */
  last_event?: number | null;
  days_since?: number | null;
  price?: PriceLevel | null;
  attributes?: Record<string, unknown>;
  /** Visitors who are this user. */
  merged?: string[];
}

/** At least so many items for which a filter is true. */
export interface Quota {
  /** Which items may be listed, such as `category in ["shoes"] and price < 50`. */
  filter: string;
  /** 1 to 1,000. */
  least: number;
}

/** The candidates, best first, each once. */
export interface RankAnswer {
  /** A name of this answer; events may tell it to say what they follow from. */
  request_id: string;
  /** The version of the bundle that answered. */
  model_version: string;
  items: RankedItem[];
}

/** Your own candidates, ranked for somebody by the bundle's ranker. */
export interface RankRequest {
  /** The shop's id; an unknown user is served as well. */
  user_id?: string | null;
  /** What a visitor did, after the history of `user_id`. */
  events?: Event[];
  /** Items of a session, as views; the last one is the newest. */
  items?: string[];
  /** The items to rank. */
  candidates: string[];
  /** What the best have most of: money expected of showing it, probability of a purchase, of a cart, of a click; where the log had no purchases, a click. By default "value". */
  by?: "cart" | "click" | "purchase" | "value";
  /** Tell what each prediction comes from. By default false. */
  explain?: boolean;
  /** Further tasks that each line tells of, where the log had examples of them. */
  tasks?: ("favourite" | "long_view")[];
  /** Quantiles of an order's value that each line tells, such as 0.1 and 0.9. */
  quantiles?: number[];
  /** Your own name for this request. */
  request_id?: string | null;
}

/** One candidate with what showing it at the first position is worth; null where the log had no examples. */
export interface RankedItem {
  item_id: string;
  /** 1 is the best. */
  rank: number;
  /** Probability of a click. */
  p_click?: number | null;
  /** Probability that a click leads to the cart. */
  p_cart?: number | null;
  /** Probability that a click leads to a purchase. */
  p_purchase?: number | null;
  /** With `tasks`: that whoever clicks stays for `[rank] long_view_seconds`. */
  p_long_view?: number | null;
  /** With `tasks`: that a click leads to a favourite. */
  p_favourite?: number | null;
  /** Money expected of showing it, in the reporting currency. */
  value?: number | null;
  /** With `quantiles`: those of an order's value, given a purchase, in that order. */
  order_quantiles?: number[];
  /** False for an item that the bundle has not learned: it comes last. By default true. */
  known?: boolean;
  /** With `explain`: each prediction explained. */
  why?: Explanation[];
}

/** A bundle is loaded and can be asked; `problems` tell what is not whole. */
export interface Ready {
  /** The version of the bundle that answered. */
  model_version: string;
  problems: string[];
  /** By default "ready". */
  status?: "ready";
}

/** The list, with what is needed to tie later events to it. */
export interface RecommendAnswer {
  /** A name of this answer; events may tell it to say what they follow from. */
  request_id: string;
  /** The version of the bundle that answered. */
  model_version: string;
  items: RecommendedItem[];
  /** Parts that failed; the answer is whole without them. */
  degraded?: string[];
  /** With `goals` or `slate`. */
  goals?: GoalsAnswer | null;
  /** The experiment of `[[experiments]]` that this list belongs to. */
  experiment?: string | null;
  /** The arm that the user is in. */
  arm?: string | null;
  /** The agent that filled the list; none: greedy. */
  policy?: string | null;
}

/** A list for somebody. */
export interface RecommendRequest {
  /** The shop's id; an unknown user is served as well. */
  user_id?: string | null;
  /** What a visitor did, after the history of `user_id`. */
  events?: Event[];
  /** Items of a session, as views; the last one is the newest. */
  items?: string[];
  /** Kinds whose items are not recommended again; `["all"]`, `["none"]`; by default the target, or none where repeat purchases are wanted. */
  exclude?: string[] | null;
  /** Only items for which this is true. */
  filter?: string | null;
  /** Only these items; empty: any. */
  include_items?: string[];
  /** Not these items. */
  exclude_items?: string[];
  /** List items that are out of stock too. By default false. */
  out_of_stock?: boolean;
  /** Only items sold for so many days at most; those that do not tell are listed. By default as the service is configured. */
  max_age_days?: number | null;
  /** List several variants of one product. By default false. */
  variants?: boolean;
  /** Ties calls of one visit together. */
  session_id?: string | null;
  /** Leave out what this session was shown before. By default false. */
  skip_shown?: boolean;
  /** An item shown so many times to the user without a click steps back by a list's length; 0: never. By default as the service is configured. 0 to 1,000. */
  fatigue?: number | null;
  /** Least score of a listed item, as a share of the user's best item's. 0 to 1. By default 0.0. */
  min_relevance?: number;
  /** Tell why each item is in the list. By default false. */
  explain?: boolean;
  /** Tell the strongest ways from the user to each item, with exact counts, up to three. By default false. */
  paths?: boolean;
  /** Your own name for this request; the same name counts once. */
  request_id?: string | null;
  /** Length of the list. 1 to 1,000. By default 20. */
  k?: number;
  /** Where the list is shown; statistics are told apart by it. By default "for-you". */
  placement?: string;
  /** `model`: as the retriever scores; `auto`: in the order that training measured, where that was surely better, else `model`; else the retriever's 500 best (100 of a log without impressions) are ranked by what the ranker expects: money, a purchase, a cart, a click; each line then has its predictions. By default as the service is configured. */
  order?: "auto" | "cart" | "click" | "model" | "purchase" | "value" | null;
  /** Compose a slate for goals from the retriever's 500 best, or aim the agent of a list at them; not with `order`. */
  goals?: Goals | null;
  /** With `goals` or `slate`: the share of expected clicks that drawing the slate at random, near the best, may cost; its exact probabilities are logged. By default as `[policy] explore`. 0 to 0. */
  explore?: number | null;
  /** Who fills the list: `greedy`, or an agent of the bundle, such as `iql`; not with `order` or `slate`, with `goals` if it learned for them: they move it. With it `explore` is the share of slots left to random candidates. By default as the service is configured for the placement. */
  policy?: string | null;
  /** Rules of the slate; without `goals` it serves those of `[policy] base`. */
  slate?: SlateRules | null;
}

/** One line of a list. */
export interface RecommendedItem {
  item_id: string;
  /** 1 is the best. */
  rank: number;
  /** Higher is better; comparable within one list alone. */
  score: number;
  /** What proposed it: the name of the model, `popular` where the history says nothing, or the placement's own source. */
  source?: string;
  /** With `explain`: why, in words, with exact counts. */
  reason?: string | null;
  /** With `explain`: the item of the history that speaks for it. */
  because?: string | null;
  /** With `paths`: the strongest ways from the user to it. */
  paths?: Way[];
  /** With `order`: probability of a click. */
  p_click?: number | null;
  /** With `order`: that a click leads to the cart. */
  p_cart?: number | null;
  /** With `order`: that a click leads to a purchase. */
  p_purchase?: number | null;
  /** With `order`: money expected of showing it. */
  value?: number | null;
  /** With `goals`: the goal for which it is there more than the usual candidate. */
  pulled_by?: string | null;
  /** With `goals` and `explain`: how far each goal speaks for the item against the usual candidate, the others staying; parts of all that speaks for and against it. */
  pulls?: Record<string, number>;
  /** The same in words. */
  pulled?: string | null;
  /** With `order` or `goals`, and `explain`: each prediction explained. */
  why?: Explanation[];
  /** With `explore`: the probability with which it was drawn at this place, given those before. Null: `new_items = "thompson"` without `explore`, whose draws nobody can tell the odds of. */
  propensity?: number | null;
}

/** Related items, item by item in the order asked. */
export interface SimilarAnswer {
  /** A name of this answer; events may tell it to say what they follow from. */
  request_id: string;
  /** The version of the bundle that answered. */
  model_version: string;
  items: SimilarItem[];
}

/** One related item; support, confidence and lift are exact counts of the shop's data, as shares. */
export interface SimilarItem {
  /** The item asked about. */
  item_id: string;
  /** 1 is the best. */
  rank: number;
  similar_item_id: string;
  score: number;
  /** Share of all transactions that hold both. */
  support?: number | null;
  /** Share of those with the item that hold the other too. */
  confidence?: number | null;
  /** Confidence over the other item's own share. */
  lift?: number | null;
}

/** Items that go with `items`. */
export interface SimilarRequest {
  /** The items asked about. */
  items: string[];
  /** similar: the same people; also-bought; together: in one order; alternative. By default "similar". */
  relation?: "also-bought" | "alternative" | "similar" | "together";
  /** Length of each list; a bundle keeps the 30 best. 1 to 1,000. By default 20. */
  k?: number;
  /** Only items for which this is true. */
  filter?: string | null;
  /** List items that are out of stock too. By default false. */
  out_of_stock?: boolean;
}

/** Rules of the slate as a whole; where they cannot all be kept, the answer tells which are broken. */
export interface SlateRules {
  pins?: Pin[];
  caps?: Cap[];
  quotas?: Quota[];
  boosts?: Boost[];
  /** How the slate is put together; by default as `[policy] composition`. */
  composition?: "dpp" | "greedy" | "mmr" | null;
}

/** Statistics by placement and model version. */
export interface StatsAnswer {
  since: number;
  until: number;
  window_hours: number;
  currency: string;
  rows: PlacementStats[];
}

export interface StatsQuery {
  /** From then on: seconds since 1970, or such as 2026-11-01. */
  since?: number | string | null;
  /** Before then, likewise; by default now. */
  until?: number | string | null;
}

export interface TrendingQuery {
  /** Length of the list. 1 to 1,000. By default 20. */
  k?: number;
  /** `volume`: what most turn to of late; `burst`: hot topics, which many more people turn to in the last day than in the four weeks before, by a test that a busy shop does not set off. By default "volume". */
  by?: "burst" | "volume";
  /** Only items for which this is true. */
  filter?: string | null;
}

/** What the shop knows of a user, whole. */
export interface User {
  user_id: string;
  /** The shop's own. */
  attributes?: Record<string, string | number | boolean | string[] | null>;
}

/** Users to forget: their document, their events and what they were shown are erased. */
export interface UserIds {
  user_ids: string[];
}

/** Users to set (PUT) or to change attribute by attribute (PATCH). */
export interface UsersRequest {
  users: User[];
}

/** What became of one row. */
export interface Verdict {
  /** Its place in the batch, from 0. */
  row: number;
  status: "accepted" | "duplicate" | "rejected";
  /** Its event_id, item_id or user_id. */
  id?: string | null;
  /** Where it was rejected. */
  error?: ErrorDetail | null;
}

/** A way from somebody to an item: over an item they had, what both share, or friends, who are not named. */
export interface Way {
  kind: "friend" | "item" | "label";
  /** In words. */
  text: string;
  /** Others who did the same and had the item; items had that share the label; friends who had the item. */
  count: number;
  /** All others who did the same, all items had, or all friends. */
  out_of: number;
  /** The item on the way. */
  item_id?: string | null;
  /** What both share, such as `brand`. */
  label?: string | null;
  /** Its value. */
  value?: string | null;
}

/** What the service can be asked; rows of any number are sent in batches. */
export interface Endpoints {
  /** `POST /v1/recommend`: Recommend items for a user, a visitor or anybody. */
  recommend(question?: RecommendRequest): Promise<RecommendAnswer>;
  /** `POST /v1/page`: Fill several lists of one page, no item twice. */
  page(question?: PageRequest): Promise<PageAnswer>;
  /** `POST /v1/similar`: Find what goes with items. */
  similar(question: SimilarRequest): Promise<SimilarAnswer>;
  /** `POST /v1/rank`: Rank your own candidates by what they are worth. */
  rank(question: RankRequest): Promise<RankAnswer>;
  /** `POST /v1/categories`: Recommend categories, where a bundle of them is served. */
  categories(question?: CategoriesRequest): Promise<RecommendAnswer>;
  /** `POST /v1/friends`: Recommend people, where a bundle of them is served. */
  friends(question?: FriendsRequest): Promise<RecommendAnswer>;
  /** `GET /v1/trending`: List what many want of late. */
  trending(question?: TrendingQuery): Promise<RecommendAnswer>;
  /** `POST /v1/events`: Keep events; the next answer knows them. */
  events(rows: Iterable<NewEvent>): Promise<BatchAnswer>;
  /** `POST /v1/users/{id}/merge`: Say that a visitor is this user. */
  merge(id: string, question: MergeRequest): Promise<MergeAnswer>;
  /** `PUT /v1/items`: Set items, whole. */
  putItems(rows: Iterable<Item>): Promise<BatchAnswer>;
  /** `PATCH /v1/items`: Change what is told of items. */
  changeItems(rows: Iterable<ItemChange>): Promise<BatchAnswer>;
  /** `DELETE /v1/items`: Delete items: they are not listed again. */
  deleteItems(rows: readonly string[]): Promise<BatchAnswer>;
  /** `GET /v1/items/{id}`: Show an item as it is now. */
  item(id: string): Promise<ItemAnswer>;
  /** `PUT /v1/users`: Set users, whole. */
  putUsers(rows: Iterable<User>): Promise<BatchAnswer>;
  /** `PATCH /v1/users`: Change attributes of users. */
  changeUsers(rows: Iterable<User>): Promise<BatchAnswer>;
  /** `DELETE /v1/users`: Forget users: all that is kept of them is erased. */
  forgetUsers(rows: readonly string[]): Promise<BatchAnswer>;
  /** `GET /v1/users/{id}/profile`: Show a user's interests in words and numbers. */
  profile(id: string): Promise<ProfileAnswer>;
  /** `GET /v1/stats`: Count what followed from what was shown. */
  stats(question?: StatsQuery): Promise<StatsAnswer>;
  /** `GET /health/live`: Say that the process answers. */
  live(): Promise<Live>;
  /** `GET /health/ready`: Say which bundle can be asked. */
  ready(): Promise<Ready>;
  /** `GET /metrics`: Count requests, batches and what is held, for Prometheus. */
  metrics(): Promise<string>;
  /** `GET /openapi.json`: Describe the same for programs (OpenAPI 3.1). */
  openapi(): Promise<unknown>;
}
