// What the Spark Cassandra Connector makes of a ring: the name of a check a line on standard input, one line of answer each.
//
//     SparkCheck HOST REPLICATION_FACTOR
//
// "ok NAME: what was seen" or "FAILED NAME: why"; "checks" answers with the names. Each check makes its own tables, and reads
// with another consistency than the connector's default of LOCAL_ONE, which may miss what LOCAL_QUORUM wrote a moment before.
import com.datastax.oss.driver.api.core.data.CqlDuration
import com.datastax.spark.connector._
import com.datastax.spark.connector.cql.CassandraConnector
import com.datastax.spark.connector.rdd.ReadConf
import com.datastax.spark.connector.streaming._
import com.datastax.spark.connector.writer.{TTLOption, TimestampOption, WriteConf}
import java.net.InetAddress
import java.util.UUID
import org.apache.spark._
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.functions._
import org.apache.spark.streaming.{Milliseconds, StreamingContext}
import scala.collection.JavaConverters._
import scala.collection.mutable

case class Reading(id: Int, at: Int, name: String, amount: Double, tags: Set[String])
case class Home(street: String, number: Option[Int])
case class Timed(id: Int, name: String, seconds: Int, at: Long)
case class Person(id: Int, name: String, home: Option[Home], past: List[Home])

object SparkCheck {
  val ks = "spark_check"
  // What is kept by the executors' closures are these plain functions, not the context.
  def reading(i: Int): Reading =
    Reading(i / 20, i % 20, s"name $i é", i * 0.25, (0 until i % 4).map(n => s"t$n").toSet)

  var sc: SparkContext = _
  var spark: SparkSession = _
  var factor = 1
  var made = false

  def cql(statements: String*): Unit =
    CassandraConnector(sc.getConf).withSessionDo(s => statements.foreach(s.execute(_)))
  def rows(statement: String): Seq[com.datastax.oss.driver.api.core.cql.Row] =
    CassandraConnector(sc.getConf).withSessionDo(_.execute(statement).all.asScala)

  def same[T](what: String, got: T, wanted: T): Unit =
    if (got != wanted) throw new Exception(s"$what: ${got.toString.take(600)} instead of ${wanted.toString.take(600)}")
  def sameRows[T](what: String, got: Seq[T], wanted: Seq[T]): Unit = {
    same(s"$what: rows", got.size, wanted.size)
    val missing = wanted.toSet -- got.toSet
    if (missing.nonEmpty) throw new Exception(s"$what: ${missing.size} rows are missing or other: ${missing.take(2)}")
  }
  def holds(what: String, truth: Boolean): Unit = if (!truth) throw new Exception(what)

  def begin(): Unit = {
    cql(s"DROP KEYSPACE IF EXISTS $ks",
      s"CREATE KEYSPACE $ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': $factor}")
    cql(s"CREATE TABLE $ks.readings (id int, at int, name text, amount double, tags set<text>, PRIMARY KEY (id, at)) " +
      "WITH CLUSTERING ORDER BY (at DESC)")
    sc.parallelize(0 until 20000, 4).map(reading).saveToCassandra(ks, "readings")
    made = true
  }

  // ---- Checks ------------------------------------------------------------------------------------

  // 1,000 partitions of 20 rows.
  def thereAndBack(): String = {
    val read = sc.cassandraTable[Reading](ks, "readings").collect()
    sameRows("case classes", read.toSeq, (0 until 20000).map(reading))
    val tuples = sc.cassandraTable[(Int, Int, String)](ks, "readings").select("id", "at", "name").collect()
    sameRows("tuples", tuples.toSeq, (0 until 20000).map(reading).map(r => (r.id, r.at, r.name)))
    same("cassandraCount", sc.cassandraTable(ks, "readings").cassandraCount(), 20000L)
    val sum = sc.cassandraTable(ks, "readings").map(_.getDouble("amount")).sum()
    same("sum", sum, 0.25 * 20000 * 19999 / 2)
    "20000 rows three times"
  }

  // Splits of token ranges: however many there are, each row comes once.
  def splits(): String = {
    val seen = mutable.ArrayBuffer[Int]()
    for (count <- Seq(1, 7, 64, 300)) {
      val rdd = sc.cassandraTable[(Int, Int)](ks, "readings").select("id", "at").withReadConf(
        ReadConf.fromSparkConf(sc.getConf).copy(splitCount = Some(count)))
      val parts = rdd.glom().collect()
      seen += parts.length
      sameRows(s"$count splits", parts.flatten.toSeq, (0 until 20000).map(i => (i / 20, i % 20)))
      val owners = parts.map(_.map(_._1).toSet)
      same(s"$count splits: partitions in two of them", owners.map(_.size).sum, owners.flatten.toSet.size)
    }
    holds(s"more splits asked for do not give more: $seen", seen.last > seen.head)
    seen.mkString("splits ", ", ", "")
  }

  // Without a number of splits the connector asks system.size_estimates how big the table is.
  def sizeEstimates(): String = {
    cql(s"CREATE TABLE IF NOT EXISTS $ks.big (id int PRIMARY KEY, body text)")
    sc.parallelize(0 until 6000, 4).map(i => (i, new scala.util.Random(i).alphanumeric.take(2000).mkString))
      .saveToCassandra(ks, "big", SomeColumns("id", "body"))
    val conf = ReadConf.fromSparkConf(sc.getConf)
    def parts(mb: Int): Int = {
      val rdd = sc.cassandraTable[(Int, String)](ks, "big").withReadConf(conf.copy(splitSizeInMB = mb))
      val found = rdd.map(r => (r._1, r._2.length)).glom().collect()
      sameRows(s"splits of $mb MB", found.flatten.toSeq, (0 until 6000).map((_, 2000)))
      found.length
    }
    val (one, many) = (parts(512), parts(1))
    val estimated = rows("SELECT mean_partition_size, partitions_count FROM system.size_estimates WHERE " +
      s"keyspace_name = '$ks' AND table_name = 'big'").map(r => r.getLong(0) * r.getLong(1)).sum
    s"$one partitions of 512 MB, $many of 1 MB; the node that was asked estimates $estimated bytes"
  }

  def whereIsPushedDown(): String = {
    val table = sc.cassandraTable[(Int, Int)](ks, "readings").select("id", "at")
    val all = (0 until 20000).map(i => (i / 20, i % 20))
    sameRows("id = ?", table.where("id = ?", 17).collect(), all.filter(_._1 == 17))
    sameRows("id in", table.where("id IN (?, ?, ?)", 3, 400, 999).collect(), all.filter(r => Set(3, 400, 999)(r._1)))
    sameRows("id and at", table.where("id = ? AND at >= ? AND at < ?", 5, 3, 9).collect(),
      all.filter(r => r._1 == 5 && r._2 >= 3 && r._2 < 9))
    sameRows("at of all", table.where("at < ?", 2).collect(), all.filter(_._2 < 2))
    sameRows("filtering", sc.cassandraTable[(Int, Int)](ks, "readings").select("id", "at")
      .where("amount >= ?", 4990.0).collect(), all.filter(r => (r._1 * 20 + r._2) * 0.25 >= 4990))
    cql(s"CREATE INDEX IF NOT EXISTS readings_name ON $ks.readings (name)")
    sameRows("index", table.where("name = ?", "name 1234 é").collect(), Seq((61, 14)))
    cql(s"DROP INDEX $ks.readings_name")
    "by partition, IN, slice, filter, index"
  }

  def limitsAndOrder(): String = {
    val table = sc.cassandraTable[(Int, Int)](ks, "readings").select("id", "at")
    same("ascending", table.where("id = 7").withAscOrder.collect().toSeq, (0 until 20).map((7, _)))
    same("descending", table.where("id = 7").withDescOrder.collect().toSeq, (0 until 20).reverse.map((7, _)))
    same("limit", table.where("id = 7").limit(3).collect().toSeq, Seq((7, 19), (7, 18), (7, 17)))
    same("take", table.take(11).length, 11)
    sameRows("per partition", table.perPartitionLimit(1).collect(), (0 until 1000).map((_, 19)))
    val spans = table.spanBy(_._1).map { case (id, of) => (id, of.map(_._2).toSeq) }.collect()
    sameRows("spanBy", spans, (0 until 1000).map((_, (0 until 20).reverse.toList: Seq[Int])))
    val keyed = sc.cassandraTable[(Int, String)](ks, "readings").select("at", "name", "id")
      .keyBy[Tuple1[Int]]("id").where("at = 4").mapValues(_._2).collect()
    sameRows("keyBy", keyed, (0 until 1000).map(i => (Tuple1(i), s"name ${i * 20 + 4} é")))
    "order, limits, spans, keys"
  }

  def join(): String = {
    val wanted = (0 until 20000).map(reading)
    val ids = sc.parallelize(500 until 1500, 4).map(Tuple1(_))
    val byPartition = ids.joinWithCassandraTable[Reading](ks, "readings").collect()
    sameRows("by partition", byPartition, wanted.filter(_.id >= 500).map(r => (Tuple1(r.id), r)))
    val byRow = sc.parallelize(0 until 20000 by 7, 4).map(i => (i / 20, i % 20))
      .joinWithCassandraTable[(String, Double)](ks, "readings").select("name", "amount").on(SomeColumns("id", "at")).collect()
    sameRows("by row", byRow, (0 until 20000 by 7).map(reading).map(r => ((r.id, r.at), (r.name, r.amount))))
    val left = ids.leftJoinWithCassandraTable[Int](ks, "readings").select("at").on(SomeColumns("id")).collect()
    sameRows("left", left, wanted.filter(_.id >= 500).map(r => (Tuple1(r.id), Option(r.at))) ++
      (1000 until 1500).map(i => (Tuple1(i), Option.empty[Int])))
    val where = ids.joinWithCassandraTable[Int](ks, "readings").select("at").where("at > ?", 16).collect()
    sameRows("where", where, wanted.filter(r => r.id >= 500 && r.at > 16).map(r => (Tuple1(r.id), r.at)))
    val placed = ids.repartitionByCassandraReplica(ks, "readings", 3)
    sameRows("by replica", placed.joinWithCassandraTable[Int](ks, "readings").select("at").collect(),
      wanted.filter(_.id >= 500).map(r => (Tuple1(r.id), r.at)))
    s"${byPartition.length} by partition, ${byRow.length} by row, ${left.length} left, ${where.length} where, by replica " +
      s"in ${placed.partitions.length} partitions"
  }

  // saveToCassandra adds to counters.
  def counters(): String = {
    cql(s"CREATE TABLE IF NOT EXISTS $ks.hashtags (hashtag text, interval text, mentions counter, people counter, " +
      "PRIMARY KEY ((hashtag), interval)) WITH CLUSTERING ORDER BY (interval DESC)", s"TRUNCATE $ks.hashtags")
    def change(i: Int) = (s"#tag${i % 97}", s"2026011${i % 7}", (i % 5 - 1).toLong)
    val columns = SomeColumns("hashtag", "interval", "mentions")
    for (_ <- 1 to 3) sc.parallelize(0 until 10000, 4).map(change).saveToCassandra(ks, "hashtags", columns)
    sc.parallelize(0 until 5000, 4).map(i => (s"#tag${i % 97}", s"2026011${i % 7}", 1L << 33))
      .saveToCassandra(ks, "hashtags", SomeColumns("hashtag", "interval", "people"))
    val mentions = (0 until 10000).map(change).groupBy(c => (c._1, c._2)).mapValues(_.map(_._3).sum * 3)
    val people = (0 until 5000).groupBy(i => (s"#tag${i % 97}", s"2026011${i % 7}")).mapValues(_.size.toLong << 33)
    val read = sc.cassandraTable[(String, String, Long, Option[Long])](ks, "hashtags").collect()
    sameRows("counters", read, mentions.toSeq.map { case (k, n) => (k._1, k._2, n, people.get(k)) })
    s"35000 increments are ${read.length} counters, exact"
  }

  def collectionsGrow(): String = {
    cql(s"CREATE TABLE IF NOT EXISTS $ks.grown (id int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>)",
      s"TRUNCATE $ks.grown")
    def save(l: Seq[Int], s: Set[String], m: Map[String, Int], columns: SomeColumns): Unit =
      sc.parallelize(0 until 200, 2).map((_, l, s, m)).saveToCassandra(ks, "grown", columns)
    save(Seq(5, 6), Set("a"), Map("x" -> 1), SomeColumns("id", "l", "s", "m"))
    save(Seq(7), Set("b", "c"), Map("y" -> 2), SomeColumns("id", "l" append, "s" append, "m" append))
    save(Seq(4), Set("a"), Map("x" -> 3), SomeColumns("id", "l" prepend, "s" remove, "m" append))
    val read = sc.cassandraTable[(Int, List[Int], Set[String], Map[String, Int])](ks, "grown")
      .select("id", "l", "s", "m").collect()
    sameRows("collections", read,
      (0 until 200).map((_, List(4, 5, 6, 7), Set("b", "c"), Map("x" -> 3, "y" -> 2))))
    "append, prepend, remove of 200"
  }

  def deletes(): String = {
    cql(s"CREATE TABLE IF NOT EXISTS $ks.deleted (id int, at int, name text, PRIMARY KEY (id, at))", s"TRUNCATE $ks.deleted")
    val all = (0 until 3000).map(i => (i / 10, i % 10, s"n$i"))
    sc.parallelize(all, 4).saveToCassandra(ks, "deleted")
    sc.parallelize(0 until 100, 4).map(i => (i, i % 10)).deleteFromCassandra(ks, "deleted")
    sc.parallelize(100 until 150, 4).map(Tuple1(_)).deleteFromCassandra(ks, "deleted", keyColumns = SomeColumns("id"))
    sc.cassandraTable(ks, "deleted").where("id = 200").deleteFromCassandra(ks, "deleted")
    sc.parallelize(250 until 300, 4).map(i => (i, 3)).deleteFromCassandra(ks, "deleted", SomeColumns("name"))
    val read = sc.cassandraTable[(Int, Int, Option[String])](ks, "deleted").collect()
    sameRows("what is left", read, all.filterNot(r => r._1 < 100 && r._2 == r._1 % 10)
      .filterNot(r => r._1 >= 100 && r._1 < 150 || r._1 == 200)
      .map(r => (r._1, r._2, if (r._1 >= 250 && r._2 == 3) None else Some(r._3))))
    s"${read.length} of ${all.length} rows are left"
  }

  def timesAndConditions(): String = {
    cql(s"CREATE TABLE IF NOT EXISTS $ks.times (id int PRIMARY KEY, name text)", s"TRUNCATE $ks.times")
    val written = 1500000000000000L
    val first = sc.parallelize(0 until 500, 4).map(i => (i, s"first $i"))
    first.saveToCassandra(ks, "times", writeConf = WriteConf(ttl = TTLOption.constant(7200),
      timestamp = TimestampOption.constant(System.currentTimeMillis * 1000 - 5000000)))
    val ttls = sc.cassandraTable[(Int, Option[Int])](ks, "times").select("id", "name".ttl).collect()
    holds(s"TTL ${ttls.take(3).toSeq}", ttls.length == 500 && ttls.forall(t => t._2.exists(s => s > 6000 && s <= 7200)))
    sc.parallelize(0 until 500, 4).map(i => (i, s"older $i"))
      .saveToCassandra(ks, "times", writeConf = WriteConf(timestamp = TimestampOption.constant(written)))
    sc.parallelize(400 until 600, 4).map(i => (i, s"if $i"))
      .saveToCassandra(ks, "times", writeConf = WriteConf(ifNotExists = true))
    val read = sc.cassandraTable[(Int, String)](ks, "times").collect()
    sameRows("IF NOT EXISTS", read, (0 until 600).map(i => (i, if (i < 500) s"first $i" else s"if $i")))
    cql(s"TRUNCATE $ks.times")
    val now = System.currentTimeMillis * 1000
    sc.parallelize(0 until 500, 4).map(i => Timed(i, s"n$i", 5000 + i, now + i)).saveToCassandra(ks, "times",
      writeConf = WriteConf(ttl = TTLOption.perRow("seconds"), timestamp = TimestampOption.perRow("at")))
    val each = sc.cassandraTable[(Int, Int, Long)](ks, "times").select("id", "name".ttl, "name".writeTime).collect()
    sameRows("write times", each.map(r => (r._1, r._3)), (0 until 500).map(i => (i, now + i)))
    holds("a TTL for each row", each.forall(r => r._2 <= 5000 + r._1 && r._2 > 4000 + r._1))
    "times and conditions of 1700 rows"
  }

  def nulls(): String = {
    cql(s"CREATE TABLE IF NOT EXISTS $ks.nulls (id int PRIMARY KEY, a int, b text)", s"TRUNCATE $ks.nulls")
    sc.parallelize(0 until 300, 4).map(i => (i, Option(i), Option(s"b$i"))).saveToCassandra(ks, "nulls")
    // A None of Option is unset with ignoreNulls, and a deletion without.
    val changes = sc.parallelize(0 until 300, 4).map(i => (i, if (i % 3 == 0) None else Some(-i), Option.empty[String]))
    changes.saveToCassandra(ks, "nulls", writeConf = WriteConf.fromSparkConf(sc.getConf).copy(ignoreNulls = true))
    sameRows("ignored", sc.cassandraTable[(Int, Option[Int], Option[String])](ks, "nulls").collect(),
      (0 until 300).map(i => (i, if (i % 3 == 0) Option(i) else Option(-i), Option(s"b$i"))))
    changes.saveToCassandra(ks, "nulls")
    sameRows("deleted", sc.cassandraTable[(Int, Option[Int], Option[String])](ks, "nulls").collect(),
      (0 until 300).map(i => (i, if (i % 3 == 0) None else Option(-i), Option.empty[String])))
    "unset and null"
  }

  def types(): String = {
    val kinds = Seq("ascii", "bigint", "blob", "boolean", "date", "decimal", "double", "duration", "float", "inet", "int",
      "smallint", "text", "time", "timestamp", "timeuuid", "tinyint", "uuid", "varint", "frozen<list<text>>",
      "map<int, frozen<set<uuid>>>", "frozen<tuple<int, text, double>>")
    cql(s"DROP TABLE IF EXISTS $ks.types", s"CREATE TABLE $ks.types (id int PRIMARY KEY, " +
      kinds.zipWithIndex.map { case (k, i) => s"c$i $k" }.mkString(", ") + ")")
    val made = UUID.fromString("50554d6e-29bb-11e5-b345-feff819cdc9f")
    val values: Seq[Any] = Seq("ascii", Long.MinValue, Array[Byte](0, -1, 127), true,
      java.time.LocalDate.of(-12, 2, 29), new java.math.BigDecimal("-12345678901234567890.000123"), Double.MinPositiveValue,
      CqlDuration.from("-1mo2d3ns"), Float.MaxValue, InetAddress.getByName("2001:db8::1"), Int.MinValue, (-32768).toShort,
      "é𝄞\u0000'",
      java.time.LocalTime.of(23, 59, 59, 999999999), java.time.Instant.ofEpochMilli(-1), made, (-128).toByte, UUID.randomUUID,
      new java.math.BigInteger("-170141183460469231731687303715884105729"), List("", "b"), Map(-1 -> Set(made), 2 -> Set()),
      TupleValue(1, "two", 3.0))
    val row = CassandraRow.fromMap(Map[String, Any]("id" -> 1) ++ values.zipWithIndex.map { case (v, i) => s"c$i" -> v })
    sc.parallelize(Seq(row), 1).saveToCassandra(ks, "types")
    sc.parallelize(Seq(CassandraRow.fromMap(Map("id" -> 2))), 1).saveToCassandra(ks, "types", SomeColumns("id"))
    val first = sc.cassandraTable(ks, "types").where("id = 1").first()
    // What is read is written again under another key: the server compares the values, as far as it can.
    val again = CassandraRow.fromMap(first.toMap ++ Map("id" -> 3))
    sc.parallelize(Seq(again), 1).saveToCassandra(ks, "types")
    val seen = rows(s"SELECT id, ${kinds.indices.map(i => s"c$i").mkString(", ")} FROM $ks.types")
      .map(r => r.getInt(0) -> kinds.indices.map(i => Option(r.getBytesUnsafe(i + 1)))).toMap
    for ((kind, i) <- kinds.zipWithIndex) {
      same(s"$kind: bytes of its copy", seen(3)(i), seen(1)(i))
      holds(s"$kind: of nothing", seen(2)(i).isEmpty)
      holds(s"$kind: is there", seen(1)(i).isDefined)
      val scalar = !values(i).isInstanceOf[Map[_, _]]
      if (scalar && kind != "frozen<tuple<int, text, double>>" && !values(i).isInstanceOf[Array[Byte]])
        same(kind, (first.getRaw(s"c$i") match { case l: java.util.List[_] => l.asScala.toList case x => x }).toString,
          values(i).toString)
    }
    s"${kinds.size} types"
  }

  def vectors(): String = {
    cql(s"CREATE TABLE IF NOT EXISTS $ks.vectors (id int PRIMARY KEY, v vector<float, 3>)")
    sc.parallelize(0 until 100, 2).map(i => (i, Seq(i * 0.5f, -1f, Float.MaxValue))).saveToCassandra(ks, "vectors")
    val read = sc.cassandraTable[(Int, Seq[Float])](ks, "vectors").collect()
    sameRows("vectors", read.map(r => (r._1, r._2.toList)), (0 until 100).map(i => (i, List(i * 0.5f, -1f, Float.MaxValue))))
    "100 vectors"
  }

  def userTypes(): String = {
    cql(s"CREATE TYPE IF NOT EXISTS $ks.home (street text, number int)",
      s"CREATE TABLE IF NOT EXISTS $ks.people (id int PRIMARY KEY, name text, home home, past list<frozen<home>>)")
    val people = (0 until 300).map(i => Person(i, s"p$i", if (i % 3 == 0) None else Some(Home(s"street $i", Some(i))),
      (0 until i % 3).map(n => Home(s"old $n", if (n == 0) None else Some(n))).toList))
    sc.parallelize(people, 4).saveToCassandra(ks, "people")
    sameRows("people", sc.cassandraTable[Person](ks, "people").collect(), people)
    val numbers = spark.read.format("org.apache.spark.sql.cassandra").options(Map("keyspace" -> ks, "table" -> "people")).load()
      .filter("home.number > 100").select("id").collect().map(_.getInt(0))
    sameRows("fields of a struct", numbers, people.filter(_.home.exists(_.number.exists(_ > 100))).map(_.id))
    "300 people with homes"
  }

  // ---- DataFrames and SQL --------------------------------------------------------------------------

  def frame(table: String) =
    spark.read.format("org.apache.spark.sql.cassandra").options(Map("keyspace" -> ks, "table" -> table)).load()

  def frames(): String = {
    val all = frame("readings")
    same("count", all.count(), 20000L)
    val filtered = all.filter(col("id") === 77 && col("at") > 11).select("at", "name")
    val plan = filtered.queryExecution.executedPlan.toString
    holds(s"the filter is not pushed down: $plan", plan.contains("\"id\" = ?") && plan.contains("\"at\" > ?"))
    sameRows("filter", filtered.collect().map(r => (r.getInt(0), r.getString(1))),
      (12 until 20).map(at => (at, s"name ${77 * 20 + at} é")))
    val groups = all.groupBy("at").agg(count("*"), sum("amount")).collect().map(r => (r.getInt(0), r.getLong(1), r.getDouble(2)))
    sameRows("groups", groups, (0 until 20000).map(reading).groupBy(_.at).map { case (at, of) =>
      (at, of.size.toLong, of.map(_.amount).sum) }.toSeq)
    cql(s"CREATE TABLE IF NOT EXISTS $ks.copied (id int, at int, name text, amount double, tags set<text>, PRIMARY KEY (id, at))")
    def save(mode: String, what: org.apache.spark.sql.DataFrame): Unit = what.write.format("org.apache.spark.sql.cassandra")
      .options(Map("keyspace" -> ks, "table" -> "copied", "confirm.truncate" -> "true")).mode(mode).save()
    save("append", all)
    sameRows("append", sc.cassandraTable[Reading](ks, "copied").collect(), (0 until 20000).map(reading))
    save("overwrite", all.filter("at = 3"))
    sameRows("overwrite", sc.cassandraTable[Reading](ks, "copied").collect(), (0 until 20000).map(reading).filter(_.at == 3))
    val keys = spark.range(0, 50).selectExpr("CAST(id AS INT) AS id")
    val joined = keys.join(spark.read.format("org.apache.spark.sql.cassandra")
      .options(Map("keyspace" -> ks, "table" -> "readings", "directJoinSetting" -> "on")).load(), "id")
    val joining = joined.queryExecution.executedPlan.toString
    holds(s"no direct join: $joining", joining.contains("Direct Join"))
    same("direct join", joined.count(), 1000L)
    "read, filter, group, append, overwrite, direct join"
  }

  def catalog(): String = {
    def sql(text: String) = spark.sql(text)
    cql("DROP KEYSPACE IF EXISTS spark_catalog_check")
    sql(s"CREATE DATABASE ring.spark_catalog_check WITH DBPROPERTIES (class = 'SimpleStrategy', replication_factor = '$factor')")
    sql("CREATE TABLE ring.spark_catalog_check.visits (id INT, at INT, who STRING) USING cassandra PARTITIONED BY (id) " +
      "TBLPROPERTIES (clustering_key = 'at.desc')")
    sql("INSERT INTO ring.spark_catalog_check.visits SELECT 1 AS id, 1 AS at, 'a' AS who UNION ALL SELECT 1, 2, 'b' " +
      "UNION ALL SELECT 2, 1, 'c'")
    sql("ALTER TABLE ring.spark_catalog_check.visits ADD COLUMNS (note STRING)")
    same("tables", sql("SHOW TABLES FROM ring.spark_catalog_check").collect().map(_.getString(1)).toSeq, Seq("visits"))
    val read = sql("SELECT id, at, who, note FROM ring.spark_catalog_check.visits ORDER BY id, at").collect().map(_.mkString(","))
    same("rows", read.toSeq, Seq("1,1,a,null", "1,2,b,null", "2,1,c,null"))
    same("joined", sql("SELECT count(*) FROM ring.spark_catalog_check.visits v JOIN ring." + ks + ".readings r ON v.id = r.id " +
      "AND v.at = r.at").collect()(0).getLong(0), 3L)
    sql("DROP TABLE ring.spark_catalog_check.visits")
    same("tables at the end", sql("SHOW TABLES FROM ring.spark_catalog_check").collect().length, 0)
    cql("DROP KEYSPACE spark_catalog_check")
    "CREATE, INSERT, ALTER, SELECT, DROP through Spark SQL"
  }

  // Micro-batches that add to counters, as the hashtag job does.
  def streams(): String = {
    cql(s"CREATE TABLE IF NOT EXISTS $ks.streamed (tag text PRIMARY KEY, n counter)", s"TRUNCATE $ks.streamed")
    val context = new StreamingContext(sc, Milliseconds(300))
    val done = new java.util.concurrent.atomic.AtomicInteger
    context.addStreamingListener(new org.apache.spark.streaming.scheduler.StreamingListener {
      override def onBatchCompleted(b: org.apache.spark.streaming.scheduler.StreamingListenerBatchCompleted): Unit =
        if (b.batchInfo.numRecords >= 0) done.incrementAndGet()
    })
    val batches = (0 until 8).map(b => sc.parallelize((0 until 500).map(i => s"#t${(b * 500 + i) % 61}"), 2))
    context.queueStream(mutable.Queue(batches: _*)).map((_, 1L)).reduceByKey(_ + _)
      .saveToCassandra(ks, "streamed", SomeColumns("tag", "n"))
    context.start()
    val until = System.currentTimeMillis + 60000
    while (done.get < 9 && System.currentTimeMillis < until) Thread.sleep(50)
    context.stop(stopSparkContext = false, stopGracefully = true)
    val read = sc.cassandraTable[(String, Long)](ks, "streamed").collect()
    sameRows("counters", read, (0 until 4000).groupBy(i => s"#t${i % 61}").mapValues(_.size.toLong).toSeq)
    "4000 records in 8 batches are 61 counters, exact"
  }

  // For a ring of which a node is down: what is idempotent goes on, and is whole.
  def oneDown(): String = {
    cql(s"CREATE TABLE IF NOT EXISTS $ks.down (id int PRIMARY KEY, name text)")
    sc.parallelize(0 until 10000, 4).map(i => (i, s"n$i")).saveToCassandra(ks, "down")
    sameRows("down", sc.cassandraTable[(Int, String)](ks, "down").collect(), (0 until 10000).map(i => (i, s"n$i")))
    sameRows("readings", sc.cassandraTable[Reading](ks, "readings").collect(), (0 until 20000).map(reading))
    val joined = sc.parallelize(0 until 1000, 4).map(Tuple1(_)).joinWithCassandraTable[Int](ks, "readings").select("at").count()
    same("join", joined, 20000L)
    "10000 rows written and 50000 read"
  }

  val checks: Seq[(String, () => String)] = Seq(
    "there_and_back" -> thereAndBack _, "splits" -> splits _, "size_estimates" -> sizeEstimates _,
    "where_is_pushed_down" -> whereIsPushedDown _, "limits_and_order" -> limitsAndOrder _, "join" -> join _,
    "counters" -> counters _, "collections_grow" -> collectionsGrow _, "deletes" -> deletes _,
    "times_and_conditions" -> timesAndConditions _, "nulls" -> nulls _, "types" -> types _, "vectors" -> vectors _,
    "user_types" -> userTypes _, "frames" -> frames _, "catalog" -> catalog _, "streams" -> streams _, "one_down" -> oneDown _)

  def answer(name: String): String = checks.find(_._1 == name) match {
    case None => s"FAILED $name: no such check"
    case Some((_, check)) =>
      val begun = System.nanoTime
      try {
        if (!made) begin()
        s"ok $name: ${check()} (${(System.nanoTime - begun) / 100000000 / 10.0} s)"
      } catch {
        case e: Throwable =>
          e.printStackTrace()
          s"FAILED $name: ${e.toString.replaceAll("\\s+", " ").take(900)}"
      }
  }

  def main(args: Array[String]): Unit = {
    factor = args(1).toInt
    val conf = new SparkConf().setMaster("local[2]").setAppName("check").set("spark.ui.enabled", "false")
      .set("spark.driver.host", "127.0.0.1").set("spark.driver.bindAddress", "127.0.0.1")
      .set("spark.sql.shuffle.partitions", "4")
      .set("spark.cassandra.connection.host", args(0))
      .set("spark.cassandra.input.consistency.level", "LOCAL_QUORUM")
      .set("spark.sql.extensions", "com.datastax.spark.connector.CassandraSparkExtensions")
      .set("spark.sql.catalog.ring", "com.datastax.spark.connector.datasource.CassandraCatalog")
    spark = SparkSession.builder.config(conf).getOrCreate()
    sc = spark.sparkContext
    sc.setLogLevel("ERROR")
    println("ready")
    for (line <- scala.io.Source.stdin.getLines)
      println(if (line == "checks") checks.map(_._1).mkString(" ") else answer(line.trim))
    cql(s"DROP KEYSPACE IF EXISTS $ks")
    sc.stop()
    sys.exit(0)
  }
}
